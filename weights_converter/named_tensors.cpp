#include "weights_converter/named_tensors.h"

#include <algorithm>

#include "engine/model/text.h"

namespace tpn {

NamedTensors::NamedTensors(const Checkpoint& checkpoint) : checkpoint_(&checkpoint) {
  const std::vector<StoredTensor>& tensors = checkpoint.tensors();
  const auto note_prefix = [&](const std::string& prefix) {
    if (!prefix.empty() && std::ranges::find(prefixes_, prefix) == prefixes_.end())
      prefixes_.push_back(prefix);
  };
  for (const StoredTensor& tensor : tensors) {
    UnwrappedName unwrapped = without_wrappers(tensor.name);
    note_prefix(unwrapped.removed);
    names_.push_back(std::move(unwrapped.name));
  }
  for (std::string prefix(common_prefix(names_)); !prefix.empty(); prefix = common_prefix(names_)) {
    note_prefix(prefix);
    for (std::string& name : names_) name.erase(0, prefix.size());
  }
  scheme_ = detect_scheme({names_.begin(), names_.end()});
  for (std::size_t i = 0; i < names_.size(); ++i) {
    const auto [place, added] = by_name_.try_emplace(names_[i], &tensors[i]);
    if (added || collision_) continue;
    collision_ = "The tensors " + in_quotes(place->second->name) + " and " + in_quotes(tensors[i].name) +
                 " both stand for " + in_quotes(names_[i]) + "; which of them is the weight cannot be told.";
  }
}

const StoredTensor* NamedTensors::find(std::string_view mmaction2_name) const {
  const auto found = by_name_.find(name_under(scheme_, mmaction2_name));
  return found == by_name_.end() ? nullptr : found->second;
}

}  // namespace tpn
