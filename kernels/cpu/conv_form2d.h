// 3D convolutions as oneDNN's 2D ones: with channels innermost, each of this family is one after a free
// reshape.
#pragma once

#include <cstdint>

#include <dnnl.hpp>

#include "kernels/ops/conv3d.h"

namespace tpn::cpu {

/// The stored f32 weight (O,I,kt,kh,kw), or one tap of it, as a convolution in two dimensions reads it.
struct StoredWeight {
  dnnl::memory::dims shape;
  dnnl::memory::dims strides;  ///< elements
};

/// A 3D convolution seen as a 2D one.
struct ConvForm2d {
  dnnl::memory::dims source;  ///< N, C, H, W
  dnnl::memory::dims target;
  dnnl::memory::dims stride;
  dnnl::memory::dims padding;
  StoredWeight weight;
  std::int64_t weight_offset = 0;  ///< elements
};

/// Throws Error for convolutions over space and time at once.
ConvForm2d conv_form2d(const ops::Conv3d& conv, const Shape& x, const Shape& weight, const Shape& y);

}  // namespace tpn::cpu
