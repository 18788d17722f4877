// What a convolution of given shapes is to the kernels: its sizes, and the order in which its depth is
// walked.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/conv_problem.h"
#include "kernels/cuda/conv_variants.h"

namespace tpn::cuda {

struct ConvForm {
  ConvSizes sizes;
  ConvType type = ConvType::f32;
  int shift_fold = 0;        ///< of the temporal shift of x; 0: none
  std::int64_t touched = 0;  ///< pixels of x that some output reads
  bool residual = false;
};

/// Bytes of an element in memory.
std::int64_t element_bytes(ConvType type);
/// "f32", "tf32", "f16", "bf16".
const char* name_of(ConvType type);

/// The convolution as it is defined. Throws Error when sizes exceed what kernels count in, or strides are not
/// those of activations on the device.
ConvForm conv_form(const ops::FusedConv3d& op, const Signature& signature);

/// The operands of a convolution whose gradient is wanted; of a parameter only the shape is looked at.
struct ConvOperands {
  const Operand &x, &weight, &y;
};
/// Likewise, without an epilogue.
ConvForm conv_form(const ops::Conv3d& op, const ConvOperands& operands, bool tf32);

/// 16 bytes of depth of the matrix product: the channels [begin, end) of the group, which are those from
/// `channel` on but for such as have no weights here.
struct DepthChunk {
  Extent tap;     ///< of x, from 0
  Extent weight;  ///< of the weights that they are multiplied with
  int channel = 0, begin = 0, end = 0;
};

/// The convolution as a matrix product.
struct ProductForm {
  ConvForm form;  ///< with the kernel and padding that rows are gathered with
  std::vector<DepthChunk> depth;
  /// Whether columns are the stored weight's input channels, and the depth its output channels.
  bool transposed = false;
};

/// Whether the convolution can be a matrix product: channels of groups fill 16 bytes, kernels have at most
/// tap_bits taps in each direction, a shift comes before a kernel of one frame without groups, and what lies
/// within a tile can be addressed in 31 bits.
bool is_product(const ConvForm& form);

/// form: is_product().
ProductForm product_form(const ConvForm& form);

/// The table that the kernels read, with its padding.
std::vector<ConvChunk> chunk_table(const ProductForm& product);

}  // namespace tpn::cuda
