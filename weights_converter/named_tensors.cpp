#include "weights_converter/named_tensors.h"

#include <vector>

namespace tpn {

NamedTensors::NamedTensors(const Checkpoint& checkpoint) : checkpoint_(&checkpoint) {
  std::vector<std::string_view> names;
  for (const StoredTensor& tensor : checkpoint.tensors()) names.push_back(tensor.name);
  prefix_ = common_prefix(names);
  for (std::string_view& name : names) name.remove_prefix(prefix_.size());
  scheme_ = detect_scheme(names);
  for (std::size_t i = 0; i < names.size(); ++i) by_name_[names[i]] = &checkpoint.tensors()[i];
}

const StoredTensor* NamedTensors::find(std::string_view mmaction2_name) const {
  const auto found = by_name_.find(name_under(scheme_, mmaction2_name));
  return found == by_name_.end() ? nullptr : found->second;
}

}  // namespace tpn
