// Why a file was refused as a checkpoint: a sentence for the user, and its kind for programs and tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "kernels/error.h"

namespace tpn {

enum class CheckpointError : std::uint8_t {
  not_a_checkpoint,       ///< empty, or neither a zip archive nor a legacy torch file
  truncated,              ///< the file ends early
  corrupt_zip,            ///< inconsistent sizes, offsets or names in the archive
  bad_crc,                ///< a stored CRC-32 does not match
  unsupported_zip,        ///< compressed, encrypted or multi-disk archive
  bad_pickle,             ///< malformed opcode stream
  no_state_dict,          ///< no dictionary of tensors
  no_such_weights,        ///< none where they were said to be
  bad_tensor,             ///< shape, stride, offset or storage of a tensor is impossible
  bad_dtype,              ///< element type that is not supported
  limit,                  ///< absurd size or depth
  missing_keys,           ///< the model needs more tensors
  shape_mismatch,         ///< a tensor's shape differs from the model's
  nonfinite,              ///< NaN or infinity in a weight
  unsupported_byteorder,  ///< written on a big-endian machine
};

/// "bad_crc", ...: the enumerator's own name.
std::string_view name_of(CheckpointError kind);

struct CheckpointFailure : Failure {
  CheckpointFailure(CheckpointError error, std::string sentence)
      : Failure{std::move(sentence)}, kind(error) {}

  CheckpointError kind;
};

/// That the file holds no dictionary of tensors, but `what`.
inline CheckpointFailure no_state_dict(const std::string& what) {
  return {CheckpointError::no_state_dict, "The file holds no dictionary of tensors: " + what + "."};
}

template <class T>
using CheckpointResult = Result<T, CheckpointFailure>;

}  // namespace tpn
