// How much memory the machine has left.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>

namespace tpn::cpu {

/// Bytes that can be used without taking others' memory away, as the kernel estimates; nothing where it does
/// not. `root` is where the file system is looked at.
std::optional<std::size_t> available_memory(const std::filesystem::path& root = "/");

}  // namespace tpn::cpu
