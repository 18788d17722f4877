// What kernels of convolutions need of their weights, on the device.
#pragma once

#include <memory>

#include "kernels/cuda/conv_form.h"

namespace tpn::cuda {

/// The factor and the summand of each output channel, f32, `channels` of each; both null without batch norm.
struct ChannelFactors {
  std::shared_ptr<const Buffer> memory;
  const float* scale = nullptr;
  const float* bias = nullptr;
};

/// The batch norm of a convolution. Not multiplied into the weights, whose rounding it would make worse.
ChannelFactors channel_factors(const ops::FusedConv3d& op, const Signature& signature, const ConvForm& form);

/// (groups, columns, row_elements) in the order of the depth, in the type that is multiplied.
std::shared_ptr<const Buffer> product_weights(const ProductForm& product, const Signature& signature);

/// (channels of y, taps, group_channels), in the type that is multiplied; for the plain kernel. Among the
/// prepared weights only where no other kernel can run the convolution: elsewhere they are needed once, to
/// check the others.
std::shared_ptr<const Buffer> plain_weights(const ConvForm& form, const Signature& signature);

}  // namespace tpn::cuda
