// Numbers with their units, as messages have them.
#pragma once

#include <cstdint>
#include <string>

namespace tpn {

/// "1 frame", "2 frames".
std::string count_of(std::int64_t count, const std::string& noun);

/// With at most one decimal: "1 second", "2.5 seconds".
std::string seconds_text(double seconds);

}  // namespace tpn
