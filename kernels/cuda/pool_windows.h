// The windows of a max pool, as its kernels see them.
#pragma once

#include "kernels/ops/max_pool3d.h"

namespace tpn::cuda {

struct PoolWindows {
  int kernel_t = 1, kernel_h = 1, kernel_w = 1;
  int stride_t = 1, stride_h = 1, stride_w = 1;
  int padding_t = 0, padding_h = 0, padding_w = 0;

  explicit PoolWindows(const ops::MaxPool3d& op)
      : kernel_t(static_cast<int>(op.kernel[0])),
        kernel_h(static_cast<int>(op.kernel[1])),
        kernel_w(static_cast<int>(op.kernel[2])),
        stride_t(static_cast<int>(op.stride[0])),
        stride_h(static_cast<int>(op.stride[1])),
        stride_w(static_cast<int>(op.stride[2])),
        padding_t(static_cast<int>(op.padding[0])),
        padding_h(static_cast<int>(op.padding[1])),
        padding_w(static_cast<int>(op.padding[2])) {}
};

/// Whether windows are of (1,3,3) every (1,2,2) with padding (0,1,1), as after the first convolution of the
/// networks.
inline bool is_stem_pool(const ops::MaxPool3d& op) {
  return op.kernel == ops::Extent3{1, 3, 3} && op.stride == ops::Extent3{1, 2, 2} &&
         op.padding == ops::Extent3{0, 1, 1};
}

}  // namespace tpn::cuda
