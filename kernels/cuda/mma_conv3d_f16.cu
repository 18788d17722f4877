#include "kernels/cuda/mma_conv3d.cuh"

namespace tpn::cuda {
namespace {

constexpr auto variants = mma_variants<F16>();

}  // namespace

std::span<const ConvVariant> conv_variants_f16() {
  return variants;
}

}  // namespace tpn::cuda
