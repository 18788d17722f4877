#include "kernels/cuda/wgmma_weight_gradient.cuh"

namespace tpn::cuda {
namespace {

constexpr auto variants = wgmma_weight_gradient_variants<F16>();

}  // namespace

std::span<const WeightGradientVariant> weight_gradient_box_variants_f16() {
  return variants;
}

}  // namespace tpn::cuda
