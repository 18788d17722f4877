#include "kernels/cuda/wgmma_weight_gradient.cuh"

namespace tpn::cuda {
namespace {

constexpr auto variants = wgmma_weight_gradient_variants<Bf16>();

}  // namespace

std::span<const WeightGradientVariant> weight_gradient_box_variants_bf16() {
  return variants;
}

}  // namespace tpn::cuda
