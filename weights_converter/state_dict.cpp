#include "weights_converter/state_dict.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "engine/model/text.h"
#include "weights_converter/find_weights.h"
#include "weights_converter/tensor_record.h"

namespace tpn {
namespace {

using Entries = std::vector<std::pair<PickleValue, PickleValue>>;

/// An object that is neither a tensor nor a dictionary: nothing tells what it would be in Python.
bool is_opaque(const PickleValue& value) {
  return (value.kind() == PickleKind::object && !value.is_dictionary()) ||
         value.kind() == PickleKind::persistent;
}

CheckpointFailure about(std::string_view key, const CheckpointFailure& failure) {
  return {failure.kind,
          "The entry " + in_quotes(key) + " of the state_dict cannot be read. " + failure.message};
}

CheckpointResult<StoredTensor> read_tensor(const PickleValue& value, const StorageTable& storages) {
  auto record = parse_tensor(value);
  if (!record) return record.failure();
  StoredTensor tensor = std::move(record->tensor);
  const auto found = storages.find(tensor.storage_key);
  if (found == storages.end()) {
    return CheckpointFailure(CheckpointError::bad_tensor,
                             "Its storage " + in_quotes(tensor.storage_key) + " is not in the file.");
  }
  const auto data = found->second.data;
  if (data.size() < record->storage_bytes) {
    return CheckpointFailure(CheckpointError::bad_tensor, "Its storage " + in_quotes(tensor.storage_key) +
                                                              " has " + std::to_string(data.size()) +
                                                              " bytes instead of " +
                                                              std::to_string(record->storage_bytes) + ".");
  }
  tensor.storage = data.first(record->storage_bytes);
  return tensor;
}

}  // namespace

CheckpointResult<StateDict> read_state_dict(const PickleValue& root, const StorageTable& storages,
                                            std::uint64_t max_bytes, std::string_view wanted) {
  auto found = find_weights(root, wanted);
  if (!found) return found.failure();
  StateDict result;
  result.found_under = std::move(found->path);
  result.also_under = std::move(found->others);
  const Entries& entries = found->entries;
  const bool has_tensors =
      std::ranges::any_of(entries, [](const auto& entry) { return is_tensor(entry.second); });
  std::unordered_set<std::string_view> names;
  std::uint64_t total = 0;
  for (const auto& [key, value] : entries) {
    const auto name = key.text();
    if (!name) {
      if (is_tensor(value)) return no_state_dict("a tensor's key is " + describe(key) + " instead of a str");
      continue;
    }
    // Among tensors an object of another kind may be anything that training keeps; alone it claims to be one.
    if (!is_tensor(value) && (has_tensors || !is_opaque(value))) {
      result.non_tensors.emplace_back(*name);
      continue;
    }
    auto tensor = read_tensor(value, storages);
    if (!tensor) return about(*name, tensor.failure());
    if (!is_utf8(*name) || !names.insert(*name).second) {
      return about(*name, {CheckpointError::bad_tensor, "Its name is not valid text, or occurs twice."});
    }
    tensor->name = *name;
    total += tensor->bytes();  // cannot wrap: each is below 2^63, and so is the total before
    if (total > max_bytes) {
      return about(*name,
                   {CheckpointError::limit, "The tensors would hold more than " + std::to_string(max_bytes) +
                                                " bytes, far more than the file."});
    }
    result.tensors.push_back(*std::move(tensor));
  }
  if (result.tensors.empty()) return no_state_dict("none of its entries is a tensor");
  return result;
}

}  // namespace tpn
