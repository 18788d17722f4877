// Convolutions of training, and their gradients, as matrix products with weights as they are stored: nothing
// is packed before and nothing brought into another order after, which every step would do anew.
#pragma once

#include <memory>

#include "kernels/backend.h"
#include "kernels/ops/conv3d.h"

namespace tpn::cpu {

/// Each compiles the operation as a product where that is the faster way, by what was measured, and returns
/// null where it is not. Weights are read as they are stored, so that there is none of a convolution and of a
/// data gradient in bf16.
std::unique_ptr<Kernel> compile_product(const ops::Conv3d& op, const Signature& signature);
std::unique_ptr<Kernel> compile_product(const ops::Conv3dDataGradient& op, const Signature& signature);
std::unique_ptr<Kernel> compile_product(const ops::Conv3dWeightGradient& op, const Signature& signature);

/// As products in any case. Of convolutions without groups; in f32, and weight gradients in bf16 too; the
/// data gradient of pointwise ones alone.
std::unique_ptr<Kernel> make_product(const ops::Conv3d& op, const Signature& signature);
std::unique_ptr<Kernel> make_product(const ops::Conv3dDataGradient& op, const Signature& signature);
std::unique_ptr<Kernel> make_product(const ops::Conv3dWeightGradient& op, const Signature& signature);

}  // namespace tpn::cpu
