#include "kernels/cuda/libraries/library_shapes.h"

#include "kernels/cuda/operand_layout.h"

namespace tpn::cuda {
namespace {

std::int64_t padded(std::int64_t channels) {
  return (channels + channel_alignment - 1) / channel_alignment * channel_alignment;
}

std::int64_t stride_of(const Operand& operand) {
  return operand.pixel_stride != 0 ? operand.pixel_stride : operand.shape[4];
}

/// Why no library runs it, whatever its shape; null when that is no reason.
const char* refusal(const LibraryOperation& o) {
  const std::int64_t inputs = o.x.shape[4], outputs = o.y.shape[4];
  if (o.op.shift_fold != 0) return "Libraries do not shift channels in time.";
  if (o.op.conv.groups > 1 && (inputs % channel_alignment != 0 || outputs % channel_alignment != 0)) {
    return "The channels of its groups do not lie one after the other without padding.";
  }
  for (const Operand* operand : {&o.x, &o.y}) {
    if (stride_of(*operand) % channel_alignment != 0) return "Its pixels are not aligned to 16 bytes.";
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

std::optional<LibraryOperation> library_operation(const AnyOp& op, const Signature& signature) {
  const auto& in = signature.inputs;
  const Operand& out = signature.outputs[0];
  if (const auto* conv = std::get_if<ops::FusedConv3d>(&op)) {
    return LibraryOperation{
        ConvPass::forward, *conv,         in[0], out, conv->residual ? in.back() : Operand{},
        in[1].shape,       signature.tf32};
  }
  if (const auto* data = std::get_if<ops::Conv3dDataGradient>(&op)) {
    return LibraryOperation{ConvPass::data_gradient, {.conv = data->conv}, out, in[0], {}, in[1].shape,
                            signature.tf32};
  }
  if (const auto* weight = std::get_if<ops::Conv3dWeightGradient>(&op)) {
    return LibraryOperation{
        ConvPass::weight_gradient, {.conv = weight->conv}, in[0], in[1], {}, out.shape, signature.tf32};
  }
  return std::nullopt;
}

Result<GemmShape> gemm_shape(const LibraryOperation& o) {
  if (const char* reason = refusal(o)) return Failure{reason};
  const Operand &x = o.x, &y = o.y;
  const ops::Conv3d pointwise{.groups = 1};
  if (!(o.op.conv == pointwise) || ops::Conv3d::kernel(o.weight) != ops::Extent3{1, 1, 1}) {
    return Failure{"It is no matrix product: its kernel, stride, padding or groups are not 1."};
  }
  if (adds_one_frame(o.op, y.shape)) {
    return Failure{"A matrix product does not add one frame to all frames."};
  }
  const bool padded_weight = padded(x.shape[4]) != x.shape[4] || padded(y.shape[4]) != y.shape[4];
  if (o.pass == ConvPass::weight_gradient && padded_weight) {
    return Failure{"Its gradient has no room for the channels of the padding."};
  }
  GemmShape shape;
  shape.pass = o.pass;
  shape.dtype = y.dtype;
  shape.tf32 = o.tf32 && y.dtype == DType::f32;
  shape.rows = y.shape[0] * y.shape[1] * y.shape[2] * y.shape[3];
  shape.inputs = padded(x.shape[4]);
  shape.outputs = padded(y.shape[4]);
  shape.x_stride = stride_of(x);
  shape.y_stride = stride_of(y);
  shape.bias = o.op.norm;
  shape.residual = o.op.residual;
  shape.relu = o.op.relu;
  if (o.op.residual) shape.residual_stride = stride_of(o.residual);
  return shape;
}

Result<Conv2dShape> conv2d_shape(const LibraryOperation& o) {
  if (const char* reason = refusal(o)) return Failure{reason};
  const Operand &x = o.x, &y = o.y;
  const ops::FusedConv3d& op = o.op;
  if (o.pass == ConvPass::weight_gradient && y.dtype != DType::f32) {
    return Failure{"cuDNN would round its gradient to 16 bits."};
  }
  const ops::Extent3 k = ops::Conv3d::kernel(o.weight), s = op.conv.stride, p = op.conv.padding;
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
  shape.pass = o.pass;
  shape.dtype = y.dtype;
  shape.tf32 = o.tf32 && y.dtype == DType::f32;
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
  if (op.residual) shape.residual_images = images(o.residual);
  return shape;
}

}  // namespace tpn::cuda
