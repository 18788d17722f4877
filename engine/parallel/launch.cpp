#include "engine/parallel/launch.h"

#include <array>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace tpn {
namespace {

std::optional<int> number_in_environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  const std::string_view digits = text;
  int number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

}  // namespace

std::optional<Launch> launched_among_others() {
  constexpr std::array<std::pair<const char*, const char*>, 2> launchers{
      {{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"}, {"PMI_RANK", "PMI_SIZE"}}};
  for (const auto& [rank_name, size_name] : launchers) {
    const auto rank = number_in_environment(rank_name), size = number_in_environment(size_name);
    if (rank && size && *size > 1) return Launch{*rank, *size};
  }
  return std::nullopt;
}

#ifndef TPN_HAS_MPI
std::shared_ptr<ProcessGroup> join_processes() {
  throw OptionError(
      "Several processes were started, but this program was built without MPI, and they would not know of "
      "each "
      "other.");
}
#endif

}  // namespace tpn
