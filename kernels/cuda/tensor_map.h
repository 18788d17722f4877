// Tensors as the copies of boxes see them (copy_box in device.cuh).
#pragma once

#include <cstdint>
#include <vector>

#include <cuda.h>

#include "kernels/cuda/conv_variants.h"

namespace tpn::cuda {

/// One direction of a tensor of 16-bit elements, and of the boxes that are copied of it.
struct TensorAxis {
  std::int64_t extent = 1;  ///< elements
  std::int64_t stride =
      2;         ///< bytes from one to the next; a multiple of 16 but in the first axis, which is dense
  int box = 1;   ///< elements that a box spans: `step` for each that is copied, at most 256
  int step = 1;  ///< every step-th of them is copied, at most every eighth
};

/// The innermost first, at most five.
using TensorAxes = std::vector<TensorAxis>;

/// Describes the tensor at `data` of the current device for boxes whose rows of 128 bytes are swizzled as
/// matrix_descriptor() wants them. Throws Error when the driver has no such maps, or refuses this one.
CUtensorMap encode_tensor_map(const void* data, ConvType type, const TensorAxes& axes);

}  // namespace tpn::cuda
