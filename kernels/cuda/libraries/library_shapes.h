// Convolutions and their gradients as the libraries know them: two-dimensional convolutions and matrix
// products, told by plain numbers. Nothing here needs a device or a library.
//
// The channels of x and y are rounded up to 8 as they lie in memory: the padding of x meets zero weights, and
// zero weights and biases make the padding of y. Batch norm becomes weights multiplied by its scale, and a
// bias: libraries have no factor by channel behind a product. That costs a second packed copy of the weights,
// while a library's kernel uses it, and moves where they are rounded to f16 or bf16: scale * weight instead
// of weight, an error of the same size. The bias is rounded to the type of y too: their kernels want it so.
//
// A weight's gradient is f32, whatever it is made of.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "kernels/backend.h"

namespace tpn::cuda {

/// What is computed of a convolution: y, or the gradient of x or of the weight.
enum class ConvPass : std::uint8_t { forward, data_gradient, weight_gradient };

/// A convolution that libraries may run, or a gradient of one.
struct LibraryOperation {
  ConvPass pass = ConvPass::forward;
  ops::FusedConv3d op;  ///< of a gradient nothing but the convolution
  Operand x, y;         ///< or their gradients
  Operand residual;     ///< with op.residual
  Shape weight;
  bool tf32 = false;
};

/// None where no library is asked for operations of the kind.
std::optional<LibraryOperation> library_operation(const AnyOp& op, const Signature& signature);

/// y = relu(w x + bias + residual) in the order of columns first, as cuBLASLt counts: w is (inputs x outputs)
/// and transposed, x (inputs x rows), y and residual (outputs x rows). As gradients, dx = w dy, and
/// dw = x dy, where dy is transposed.
struct GemmShape {
  ConvPass pass = ConvPass::forward;
  DType dtype = DType::f32;
  bool tf32 = false;  ///< of f32 operands: products may round them
  std::int64_t rows = 0;
  std::int64_t inputs = 0;                                       ///< channels of x, rounded up
  std::int64_t outputs = 0;                                      ///< channels of y, rounded up
  std::int64_t x_stride = 0, y_stride = 0, residual_stride = 0;  ///< elements from row to row
  bool bias = false, residual = false, relu = false;

  bool operator==(const GemmShape&) const = default;
};

/// Images (N, H, W, C), channels innermost; strides in elements.
struct Images {
  std::int64_t images = 1, height = 1, width = 1, channels = 1;
  std::int64_t image_stride = 0, row_stride = 0, pixel_stride = 0;

  bool operator==(const Images&) const = default;
};

/// y = relu(conv(x, w) + bias + residual), w (outputs, kernel height, kernel width, inputs of a group); or dx
/// of w and dy, or dw of x and dy.
struct Conv2dShape {
  ConvPass pass = ConvPass::forward;
  DType dtype = DType::f32;
  bool tf32 = false;
  Images x, y;
  std::array<std::int64_t, 2> kernel{1, 1}, stride{1, 1}, padding{0, 0};  ///< (height, width)
  std::int64_t groups = 1;
  /// There is a bias, if only of zeros, wherever there is a residual or ReLU: cuDNN has no kernels without.
  bool bias = false, residual = false, relu = false;
  Images residual_images;  ///< with residual: as y, but an extent of 1 is that of every image or row

  bool operator==(const Conv2dShape&) const = default;
};

/// The operation as a matrix product, or why it is none that a library can run.
Result<GemmShape> gemm_shape(const LibraryOperation& operation);

/// The operation in two dimensions: a kernel (1,k,k) sees the N T frames as images, (kt,1,1) sees N images
/// of T rows and H W columns. Or why neither does.
Result<Conv2dShape> conv2d_shape(const LibraryOperation& operation);

}  // namespace tpn::cuda
