#include "kernels/cpu/available_memory.h"

#include <fstream>
#include <limits>
#include <string>

namespace tpn::cpu {

std::optional<std::size_t> available_memory(const std::filesystem::path& root) {
  std::ifstream file(root / "proc/meminfo");
  std::size_t kibibytes = 0;
  for (std::string name; file >> name;) {
    if (name == "MemAvailable:" && file >> kibibytes) return kibibytes << 10U;
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return std::nullopt;
}

}  // namespace tpn::cpu
