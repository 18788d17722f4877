// What torch.save wrote: a pickled object, and the storages that it refers to by key. Two containers hold it:
// zip archives (torch_archive.h) and the format before torch 1.6 (legacy_file.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>

#include "weights_converter/pickle.h"

namespace tpn {

struct StorageBytes {
  std::span<const std::byte> data;
  std::optional<std::uint32_t>
      crc;  ///< CRC-32 that the file states, not yet compared; legacy files have none
};

using StorageTable = std::unordered_map<std::string_view, StorageBytes>;  ///< by key

/// Refers to the bytes it was read from, which must outlive it.
struct SavedObject {
  Pickle pickle;
  StorageTable storages;
  std::size_t bytes_behind = 0;  ///< of the file, behind what torch.save wrote
};

}  // namespace tpn
