// The gradient of a convolution with respect to x as convolutions of dy.
//
// x[d] is read by the windows o of a direction whose tap k = d + padding - stride o is one of the kernel's.
// So the positions d of one phase, r = (d + padding) mod stride, see the taps r, r + stride, ... alone, J of
// them, and their windows follow one another: with d = first + stride q and o = q + base - j for tap
// r + stride j, dx of the phase is a convolution of dy of stride 1 with these taps in turned order, padded by
// J - 1 - base (which may be negative), whose output positions lie `stride` apart in dx. In three directions,
// stride.t stride.h stride.w products, or a single one where nothing is strided.
#pragma once

#include <vector>

#include "kernels/cuda/conv_form.h"

namespace tpn::cuda {

/// The products that make dx, each its own positions; phases without taps have none: they are zeros. Nothing
/// where one of them cannot be a product. forward: the convolution itself.
std::vector<ProductForm> data_gradient_products(const ConvForm& forward);

/// Whether some phases have no taps.
bool has_gaps(const ConvForm& forward);

}  // namespace tpn::cuda
