// How a pickle names torch storages: a persistent value identified by
// ('storage', torch.FloatStorage, key, location, element count), in the legacy format followed by None.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "kernels/tensor.h"
#include "weights_converter/failure.h"
#include "weights_converter/pickle.h"

namespace tpn {

struct StorageType {
  std::string_view name;  ///< "FloatStorage"
  std::size_t element_bytes;
  std::optional<DType> dtype;  ///< absent: complex or quantized, of known size but not supported
};

struct StorageId {
  StorageType type;
  std::string_view key;  ///< of the storage within the file
  std::uint64_t bytes;   ///< element count times element size; fits 63 bits
};

/// Reads a persistent value. Fails with `bad_tensor`, or `bad_dtype` for a storage type that torch does not
/// have.
CheckpointResult<StorageId> parse_storage_id(const PickleValue& value);

}  // namespace tpn
