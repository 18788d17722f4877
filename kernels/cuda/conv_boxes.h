// How kernels cut a convolution that fetch both operands as boxes of tensors (copy_box in device.cuh): which
// convolutions can be cut so, into which boxes, and what the operands' tensors are.
//
// Rows of 128 bytes of depth are 64 channels of a pixel under one tap. Those of all rows of a tile are a box
// of x (N,T,H,W,C): 64 channels of every stride-th pixel of some rows of some frames of some views. What lies
// outside of the image comes as zeros, which is the padding.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/cuda/conv_form.h"
#include "kernels/cuda/tensor_map.h"

namespace tpn::cuda {

/// How many tiles of so many cover `count`.
constexpr int tiles_of(int count, int tile) {
  return count / tile + (count % tile == 0 ? 0 : 1);
}

/// Whether boxes can be fetched for the convolution: elements of 16 bits, one group, input channels (with a
/// temporal shift, those of each frame) in multiples of 64, and strides that maps can express. form: of a
/// product.
bool takes_boxes(const ConvForm& form);

/// The table that the kernels read. product: takes_boxes().
std::vector<ConvStep> step_table(const ProductForm& product);

/// The boxes of at most `rows` output positions, at most 256, that leave the fewest tiles; of several the
/// ones that copy least, then the widest. Without the table of steps.
ConvBoxes choose_boxes(const ConvSizes& sizes, int rows);

/// Tiles of y.
int tile_count(const ConvBoxes& boxes);

/// The axes of x, innermost first, whose boxes are those that a tile's rows read in one step.
TensorAxes x_axes(const ConvSizes& sizes, const ConvBoxes& boxes);

/// The axes of y, whose boxes are 64 channels of those positions.
TensorAxes y_axes(const ConvSizes& sizes, const ConvBoxes& boxes);

/// The axes of the packed weights, whose boxes are so many columns of one step.
TensorAxes weight_axes(const ConvSizes& sizes, int columns);

}  // namespace tpn::cuda
