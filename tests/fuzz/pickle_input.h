// Gives fuzz targets the pickle inside of a checkpoint, whatever its checksum, so that the same corpus serves
// them all and mutations of whole files reach the pickle machine.
#pragma once

#include <cstddef>
#include <span>

#include "weights_converter/torch_archive.h"

namespace tpn::fuzz {

/// data.pkl of a zip archive that holds one; any other input unchanged.
inline std::span<const std::byte> pickle_of(std::span<const std::byte> input) {
  if (!ZipArchive::has_signature(input)) return input;
  const auto archive = ZipArchive::parse(input);
  const ZipEntry* const entry = archive ? find_pickle_entry(*archive) : nullptr;
  return entry == nullptr ? input : entry->data;
}

}  // namespace tpn::fuzz
