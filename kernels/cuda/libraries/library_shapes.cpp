#include "kernels/cuda/libraries/library_shapes.h"

namespace tpn::cuda {
namespace {

constexpr std::int64_t channel_alignment = 8;

std::int64_t padded(std::int64_t channels) {
  return (channels + channel_alignment - 1) / channel_alignment * channel_alignment;
}

std::int64_t stride_of(const Operand& operand) {
  return operand.pixel_stride != 0 ? operand.pixel_stride : operand.shape[4];
}

/// Why no library runs it, whatever its shape; null when that is no reason.
const char* refusal(const ops::FusedConv3d& op, const Signature& signature) {
  const Shape &x = signature.inputs[0].shape, &y = signature.outputs[0].shape;
  if (op.shift_fold != 0) return "Libraries do not shift channels in time.";
  if (op.conv.groups > 1 && (x[4] % channel_alignment != 0 || y[4] % channel_alignment != 0)) {
    return "The channels of its groups do not lie one after the other without padding.";
  }
  for (const Operand& operand : {signature.inputs[0], signature.outputs[0]}) {
    if (stride_of(operand) % channel_alignment != 0) return "Its pixels are not aligned to 16 bytes.";
  }
  return nullptr;
}

bool adds_one_frame(const ops::FusedConv3d& op, const Shape& y) {
  return op.residual && op.one_frame_residual && y[1] > 1;
}

/// N T frames of H x W pixels.
Images frames(const Operand& operand) {
  const Shape& s = operand.shape;
  const std::int64_t pixel = stride_of(operand);
  return {s[0] * s[1], s[2], s[3], padded(s[4]), s[2] * s[3] * pixel, s[3] * pixel, pixel};
}

/// N images with a row for each frame and a column for each of its pixels.
Images clips(const Operand& operand) {
  const Shape& s = operand.shape;
  const std::int64_t pixel = stride_of(operand), area = s[2] * s[3];
  return {s[0], s[1], area, padded(s[4]), s[1] * area * pixel, area * pixel, pixel};
}

}  // namespace

Result<GemmShape> gemm_shape(const ops::FusedConv3d& op, const Signature& signature) {
  if (const char* reason = refusal(op, signature)) return Failure{reason};
  const Operand &x = signature.inputs[0], &y = signature.outputs[0];
  const ops::Conv3d pointwise{.groups = 1};
  if (!(op.conv == pointwise) || ops::Conv3d::kernel(signature.inputs[1].shape) != ops::Extent3{1, 1, 1}) {
    return Failure{"It is no matrix product: its kernel, stride, padding or groups are not 1."};
  }
  if (adds_one_frame(op, y.shape)) {
    return Failure{"A matrix product does not add one frame to all frames."};
  }
  GemmShape shape;
  shape.dtype = y.dtype;
  shape.tf32 = signature.tf32 && y.dtype == DType::f32;
  shape.rows = y.shape[0] * y.shape[1] * y.shape[2] * y.shape[3];
  shape.inputs = padded(x.shape[4]);
  shape.outputs = padded(y.shape[4]);
  shape.x_stride = stride_of(x);
  shape.y_stride = stride_of(y);
  shape.bias = op.norm;
  shape.residual = op.residual;
  shape.relu = op.relu;
  if (op.residual) shape.residual_stride = stride_of(signature.inputs.back());
  return shape;
}

Result<Conv2dShape> conv2d_shape(const ops::FusedConv3d& op, const Signature& signature) {
  if (const char* reason = refusal(op, signature)) return Failure{reason};
  const Operand &x = signature.inputs[0], &y = signature.outputs[0];
  const ops::Extent3 k = ops::Conv3d::kernel(signature.inputs[1].shape), s = op.conv.stride,
                     p = op.conv.padding;
  const bool in_space = k[0] == 1 && s[0] == 1 && p[0] == 0;
  const bool in_time = k[1] == 1 && k[2] == 1 && s[1] == 1 && s[2] == 1 && p[1] == 0 && p[2] == 0;
  const bool one_frame = adds_one_frame(op, y.shape);
  // One frame for all is one row for all of a clip, or one image for all of a single clip's frames.
  const bool as_clips = in_time && (!in_space || one_frame);
  if (!in_space && !in_time) return Failure{"It convolves in space and time at once."};
  if (one_frame && !as_clips && y.shape[0] > 1) {
    return Failure{"Libraries do not add one frame of several clips to the frames of each."};
  }
  Conv2dShape shape;
  shape.dtype = y.dtype;
  shape.tf32 = signature.tf32 && y.dtype == DType::f32;
  const auto images = [&](const Operand& operand) { return as_clips ? clips(operand) : frames(operand); };
  shape.x = images(x);
  shape.y = images(y);
  if (as_clips) {
    shape.kernel = {k[0], 1};
    shape.stride = {s[0], 1};
    shape.padding = {p[0], 0};
  } else {
    shape.kernel = {k[1], k[2]};
    shape.stride = {s[1], s[2]};
    shape.padding = {p[1], p[2]};
  }
  shape.groups = op.conv.groups;
  shape.bias = op.norm || op.residual || op.relu;
  shape.residual = op.residual;
  shape.relu = op.relu;
  if (op.residual) shape.residual_images = images(signature.inputs.back());
  return shape;
}

}  // namespace tpn::cuda
