#include "engine/model/cache_folder.h"

#include <cstdlib>

namespace tpn {
namespace {

std::optional<std::filesystem::path> folder_of(const char* variable) {
  const char* value = std::getenv(variable);
  if (!value) return std::nullopt;
  std::filesystem::path folder(value);
  return folder.is_absolute() ? std::optional(std::move(folder)) : std::nullopt;
}

}  // namespace

std::optional<std::filesystem::path> cache_folder() {
  if (auto folder = folder_of("TPN_CACHE_DIR")) return folder;
  if (const auto folder = folder_of("XDG_CACHE_HOME")) return *folder / "tpn";
  if (const auto folder = folder_of("HOME")) return *folder / ".cache" / "tpn";
  return std::nullopt;
}

}  // namespace tpn
