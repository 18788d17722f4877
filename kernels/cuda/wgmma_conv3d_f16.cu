#include "kernels/cuda/wgmma_conv3d.cuh"

namespace tpn::cuda {
namespace {

constexpr auto variants = wgmma_variants<F16>();

}  // namespace

std::span<const ConvVariant> conv_box_variants_f16() {
  return variants;
}

}  // namespace tpn::cuda
