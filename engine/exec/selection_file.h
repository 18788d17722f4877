// Keeps which kernels proved fastest from one process to the next. A file that is missing, damaged, or cannot
// be read or written is no error: then kernels are chosen anew.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "kernels/selection_table.h"

namespace tpn {

/// In cache_folder(); none where that is not known.
std::optional<std::filesystem::path> selection_file();

/// What the file holds; empty when there is none that can be used.
SelectionTable load_selections(const std::filesystem::path& file);

/// Writes the store's table, if it changed since the last call, together with what other processes put into
/// the file meanwhile. Folders are made as needed. Returns whether the file is now as the store.
bool save_selections(const std::filesystem::path& file, SelectionStore& store);

}  // namespace tpn
