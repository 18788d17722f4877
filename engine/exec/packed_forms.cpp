#include "engine/exec/packed_forms.h"

#include <algorithm>

namespace tpn {

const std::byte* PackedForms::add(const std::shared_ptr<const Packing>& packing,
                                  std::vector<ConstTensorView> sources) {
  const auto found = forms_.find(packing->key());
  if (found != forms_.end()) {
    if (!std::ranges::equal(found->second.sources, sources, {}, &ConstTensorView::data,
                            &ConstTensorView::data)) {
      throw Error("The packed weight '" + packing->key() + "' is asked for of two sets of parameters.");
    }
    return found->second.memory.data();
  }
  Entry entry{packing, std::move(sources), backend_->allocate(packing->bytes())};
  return forms_.emplace(packing->key(), std::move(entry)).first->second.memory.data();
}

void PackedForms::pack(Stream& stream) const {
  for (const auto& [key, entry] : forms_) entry.packing->pack(entry.sources, entry.memory.data(), stream);
}

std::size_t PackedForms::bytes() const {
  std::size_t bytes = 0;
  for (const auto& [key, entry] : forms_) bytes += entry.memory.bytes();
  return bytes;
}

}  // namespace tpn
