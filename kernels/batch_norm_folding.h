// Batch norm with constant statistics as one multiplication and one addition per element.
#pragma once

#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "kernels/host_device.h"
#include "kernels/tensor.h"

namespace tpn {

/// y = x * scale + shift, for one channel.
struct FoldedChannel {
  float scale;
  float shift;
};

/// Computed in double, and the same to the last bit on the host and on devices.
TPN_HOST_DEVICE inline FoldedChannel fold_channel(float scale, float shift, float mean, float variance,
                                                  double eps) {
  const double factor = scale / std::sqrt(static_cast<double>(variance) + eps);
#ifdef __CUDA_ARCH__
  const double offset = __dsub_rn(shift, __dmul_rn(mean, factor));  // no fused multiply-add, as on the host
#else
  const double offset = shift - mean * factor;
#endif
  return {static_cast<float>(factor), static_cast<float>(offset)};
}

/// The same for all channels.
struct FoldedNorm {
  std::vector<float> scale;
  std::vector<float> shift;
};

/// norm: scale, shift, mean, variance, f32 in the host's memory.
FoldedNorm fold_batch_norm(std::span<const ConstTensorView> norm, double eps);

/// Throws Error, naming the parameter of the variance, when a channel's result is not finite. norm: as above.
void check_batch_norm(std::span<const ConstTensorView> norm, double eps, const std::string& variance);

/// Of what is folded with that eps, for the keys of packings.
std::string norm_key(double eps);

}  // namespace tpn
