// The zip format of torch.save: <root>/data.pkl, <root>/data/<storage key>, <root>/version, <root>/byteorder.
#pragma once

#include <cstddef>
#include <span>

#include "weights_converter/failure.h"
#include "weights_converter/saved_object.h"
#include "weights_converter/zip_archive.h"

namespace tpn {

/// The pickle of the saved object; nullptr when there is none.
const ZipEntry* find_pickle_entry(const ZipArchive& archive);

/// Reads archive and pickle; of checksums only the pickle's is compared. Fails with `truncated`,
/// `corrupt_zip`, `unsupported_zip`, `bad_crc`, `bad_pickle`, `no_state_dict` (no pickle in it),
/// `unsupported_byteorder` or `limit`.
CheckpointResult<SavedObject> parse_torch_archive(std::span<const std::byte> bytes);

}  // namespace tpn
