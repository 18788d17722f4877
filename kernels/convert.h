// Element type conversions of whole tensors on the host.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "kernels/ops/op.h"
#include "kernels/tensor.h"

namespace tpn {

/// Copies `count` elements, converting between floating types (f64, f32, f16, bf16); equal types are copied
/// as they are. Throws Error for integer types that differ.
void convert(const std::byte* source, DType source_type, std::byte* target, DType target_type,
             std::size_t count);

/// The index of the first element of a floating tensor that is infinite or NaN. Throws Error for integers.
std::optional<std::size_t> first_not_finite(const ConstTensorView& view);

/// The elements of a floating tensor as floats.
std::vector<float> to_floats(const ConstTensorView& view);

/// A tensor of floating-point or whole numbers (i64, i32, u8) as doubles, and back, rounding to the view's
/// floating type; whole numbers have to fit.
ops::Tensor64 to_tensor64(const ConstTensorView& view);
void from_tensor64(const ops::Tensor64& tensor, const TensorView& view);

/// Copies a dense tensor (..., C), or a scalar, to pixels that begin `stride` elements apart; what is between
/// them stays.
void spread_pixels(const TensorView& dense, std::int64_t stride, std::byte* to);
/// The way back.
void gather_pixels(const std::byte* from, std::int64_t stride, const TensorView& dense);

}  // namespace tpn
