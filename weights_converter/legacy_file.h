// The format of torch.save before version 1.6: pickles of a magic number, a version, facts about the machine,
// the saved object and the list of its storages' keys; then for each key an int64 element count and the raw
// data.
#pragma once

#include <cstddef>
#include <span>

#include "weights_converter/failure.h"
#include "weights_converter/saved_object.h"

namespace tpn {

/// Whether the bytes begin with the pickled magic number.
bool has_legacy_magic(std::span<const std::byte> bytes);

/// Fails with `truncated`, `bad_pickle`, `bad_tensor`, `bad_dtype`, `limit` or `unsupported_byteorder`. The
/// bytes must outlive the result.
CheckpointResult<SavedObject> parse_legacy_file(std::span<const std::byte> bytes);

}  // namespace tpn
