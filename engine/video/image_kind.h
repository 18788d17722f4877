// What images show, by the words in their names.
#pragma once

#include <string>
#include <string_view>

namespace tpn {

/// "optical flow", "depth", "masks" and the like for images that accompany frames; empty for all others.
std::string kind_by_words(std::string_view name);

}  // namespace tpn
