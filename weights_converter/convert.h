// From a checkpoint to a model file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/model/config.h"
#include "kernels/error.h"
#include "kernels/tensor.h"
#include "weights_converter/failure.h"
#include "weights_converter/names.h"

namespace tpn {

/// To be raised when a checkpoint becomes another model file than before, so that kept ones are made anew.
inline constexpr int converter_revision = 1;

struct ConvertOptions {
  std::optional<Config> config;  ///< instead of the detected one
  std::optional<std::vector<std::string>>
      labels;                  ///< instead of those in the checkpoint or built in; or none
  std::string weights;         ///< where in the checkpoint they are (see find_weights()); empty: as usual
  bool ignore_digest = false;  ///< do not compare the file with the digest that its name states
  DType dtype = DType::f32;    ///< f32, bf16 or f16: of every floating tensor
  bool init_missing = false;   ///< initialise what is not there at random, as training does
  std::uint64_t seed = 0;      ///< of that initialisation
};

struct ConvertReport {
  Config config;
  NamingScheme scheme = NamingScheme::mmaction2;
  std::string found_under;               ///< where in the checkpoint the weights are; empty: at its root
  std::vector<std::string> also_under;   ///< where other weights are
  std::vector<std::string> prefixes;     ///< that were taken out of names
  std::int64_t elements = 0;             ///< of the trainable parameters
  std::size_t loaded = 0;                ///< tensors
  std::size_t renamed = 0;               ///< tensors
  std::vector<std::string> dropped;      ///< tensors that are known to be of no use
  std::vector<std::string> unexpected;   ///< tensors dropped because the model has no place for them
  std::vector<std::string> other_keys;   ///< of the checkpoint beside weights and meta: "optimizer", ...
  std::vector<std::string> initialized;  ///< tensors that were missing
  std::size_t zeroed_batches = 0;        ///< num_batches_tracked that were missing
  std::vector<std::string> labels;       ///< one per class, or empty
  std::string labels_from;               ///< where they come from
  std::string sha256;                    ///< of the checkpoint
  bool digest_verified = false;          ///< the file's name states the first digits of it
  std::vector<std::string> notes;        ///< what was assumed or could not be used, as sentences
};

/// Converts the checkpoint `in` to the model file `out`. Fails when the checkpoint is refused. Throws
/// OptionError, or Error when the file cannot be written; nothing is left of it then.
CheckpointResult<ConvertReport> convert_checkpoint(const std::filesystem::path& in,
                                                   const std::filesystem::path& out,
                                                   const ConvertOptions& options);

}  // namespace tpn
