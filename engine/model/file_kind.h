// What a file really is that was given as a checkpoint, a model or tensors, and is none.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

namespace tpn {

/// The end of a sentence that begins with "it is", with what to do about it, told by the first bytes: "a
/// pointer of Git LFS in place of the file; "git lfs pull" fetches it". Nothing for what is not recognised.
std::optional<std::string> foreign_kind(std::span<const std::byte> bytes);

/// Whether the bytes begin as a safetensors file does: a length, then a JSON object.
bool has_safetensors_signature(std::span<const std::byte> bytes);

}  // namespace tpn
