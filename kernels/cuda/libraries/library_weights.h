// Weights in the form that libraries want, on the device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "kernels/backend.h"

namespace tpn::cuda {

struct LibraryWeights {
  Buffer weights;  ///< as FoldedWeights, in the type of y
  Buffer bias;     ///< likewise
};

/// Shared by all kernels that use them; gone when none is left, so that a library that lost costs no memory.
std::shared_ptr<const LibraryWeights> library_weights(const ops::FusedConv3d& op, const Signature& signature);

/// Libraries get no more workspace than this, bytes.
inline constexpr std::size_t max_workspace = std::size_t{64} << 20;
/// They want it aligned to so many bytes, kernels' scratch is aligned to less.
inline constexpr std::size_t workspace_alignment = 256;

/// The scratch that a kernel asks for so as to have an aligned workspace in it, and where that begins.
inline std::size_t scratch_for(std::size_t workspace) {
  return workspace == 0 ? 0 : workspace + workspace_alignment;
}
inline std::byte* workspace_in(std::byte* scratch) {
  const auto address = reinterpret_cast<std::uintptr_t>(scratch);
  return scratch + (workspace_alignment - address % workspace_alignment) % workspace_alignment;
}

}  // namespace tpn::cuda
