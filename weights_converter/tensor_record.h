// How a pickle describes a tensor: a call of one of torch's rebuilding functions.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "weights_converter/failure.h"
#include "weights_converter/pickle.h"
#include "weights_converter/storage_id.h"
#include "weights_converter/stored_tensor.h"

namespace tpn {

/// Whether the value claims to be a tensor or Parameter, of whatever form.
bool is_tensor(const PickleValue& value);

/// Whether it is a NumPy array, which parse_tensor() refuses.
bool is_array(const PickleValue& value);

/// Reads a tensor or Parameter, all but its bytes: name and storage are left empty, the strides are checked
/// against the element count that the storage is said to have (`storage_bytes`). Fails with `bad_tensor`,
/// `bad_dtype` or `limit`.
struct TensorRecord {
  StoredTensor tensor;
  std::uint64_t storage_bytes = 0;
};
CheckpointResult<TensorRecord> parse_tensor(const PickleValue& value);

/// The same for a tensor whose storage is told by other values than persistent ones, which `storage_of`
/// reads.
using StorageParser = std::function<CheckpointResult<StorageId>(const PickleValue& value)>;
CheckpointResult<TensorRecord> parse_tensor(const PickleValue& value, const StorageParser& storage_of);

}  // namespace tpn
