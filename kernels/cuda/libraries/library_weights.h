// Weights in the form that libraries want, on the device.
#pragma once

#include <cstddef>
#include <memory>

#include "kernels/backend.h"
#include "kernels/cuda/memory.h"

namespace tpn::cuda {

struct LibraryWeights {
  Buffer weights;  ///< as FoldedWeights, in the type of y
  Buffer bias;     ///< likewise
};

/// Shared by all kernels that use them; gone when none is left, so that a library that lost costs no memory.
std::shared_ptr<const LibraryWeights> library_weights(const ops::FusedConv3d& op, const Signature& signature);

/// Libraries get no more workspace than this, bytes.
inline constexpr std::size_t max_workspace = std::size_t{64} << 20;
/// They want it aligned to 256 bytes, as kernels' scratch is.
static_assert(memory_alignment % 256 == 0);

}  // namespace tpn::cuda
