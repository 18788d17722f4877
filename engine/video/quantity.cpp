#include "engine/video/quantity.h"

#include <iomanip>
#include <sstream>

namespace tpn {

std::string count_of(std::int64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string seconds_text(double seconds) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(1) << seconds;
  std::string number = text.str();
  if (number.substr(number.size() - 2) == ".0") number.resize(number.size() - 2);
  return number + (number == "1" ? " second" : " seconds");
}

}  // namespace tpn
