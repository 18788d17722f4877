// The weights of convolutions as kernels want them, on the device. Batch norm is not multiplied into them,
// whose rounding that would make worse.
#pragma once

#include <memory>

#include "kernels/cuda/conv_form.h"

namespace tpn::cuda {

/// Operand 1 as (groups, columns, row_elements) in the order of the depth, in the type that is multiplied.
std::shared_ptr<const Packing> product_packing(const ProductForm& product, const Signature& signature);

}  // namespace tpn::cuda
