#include "kernels/cuda/mma_weight_gradient.cuh"

namespace tpn::cuda {
namespace {

constexpr auto variants = mma_weight_gradient_variants<Bf16>();

}  // namespace

std::span<const WeightGradientVariant> weight_gradient_variants_bf16() {
  return variants;
}

}  // namespace tpn::cuda
