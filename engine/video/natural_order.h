// The order in which people expect numbered files.
#pragma once

#include <string_view>

namespace tpn {

/// Whether `a` comes before `b`: runs of digits by their value, the rest by bytes ("img_9" before "img_10").
bool natural_less(std::string_view a, std::string_view b);

}  // namespace tpn
