#include "kernels/cuda/mma_conv3d.cuh"

namespace tpn::cuda {
namespace {

constexpr auto variants = mma_variants<Tf32>();

}  // namespace

std::span<const ConvVariant> conv_variants_tf32() {
  return variants;
}

}  // namespace tpn::cuda
