// The weights of convolutions as kernels want them, on the device. Batch norm is not multiplied into them,
// whose rounding that would make worse.
#pragma once

#include <memory>

#include "kernels/cuda/conv_form.h"

namespace tpn::cuda {

/// (groups, columns, row_elements) in the order of the depth, in the type that is multiplied.
std::shared_ptr<const Buffer> product_weights(const ProductForm& product, const Signature& signature);

/// (channels of y, taps, group_channels), in the type that is multiplied; for the plain kernel. Among the
/// prepared weights only where no other kernel can run the convolution: elsewhere they are needed once, to
/// check the others.
std::shared_ptr<const Buffer> plain_weights(const ConvForm& form, const Signature& signature);

}  // namespace tpn::cuda
