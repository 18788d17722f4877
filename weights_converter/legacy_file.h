// The format of torch.save before version 1.6: pickles of a magic number, a version, facts about the machine,
// the saved object and the list of its storages' keys; then for each key an int64 element count and the raw
// data.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "weights_converter/failure.h"
#include "weights_converter/saved_object.h"

namespace tpn {

/// 0x1950a86a20f9469cfc6c, the lowest byte first.
inline constexpr std::array<std::uint8_t, 10> legacy_magic{0x6c, 0xfc, 0x9c, 0x46, 0xf9,
                                                           0x20, 0x6a, 0xa8, 0x50, 0x19};
inline constexpr std::int64_t legacy_version = 1001;

/// Whether the bytes begin with the pickled magic number.
bool has_legacy_magic(std::span<const std::byte> bytes);

/// Fails with `truncated`, `bad_pickle`, `bad_tensor`, `bad_dtype`, `limit` or `unsupported_byteorder`. The
/// bytes must outlive the result.
CheckpointResult<SavedObject> parse_legacy_file(std::span<const std::byte> bytes);

}  // namespace tpn
