// Where programs keep what they would otherwise have to work out again.
#pragma once

#include <filesystem>
#include <optional>

namespace tpn {

/// $TPN_CACHE_DIR, else $XDG_CACHE_HOME/tpn, else $HOME/.cache/tpn; none where no variable is set to an
/// absolute path. The folder need not exist.
std::optional<std::filesystem::path> cache_folder();

}  // namespace tpn
