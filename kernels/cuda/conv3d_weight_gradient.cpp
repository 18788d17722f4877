// Which kernels run the gradient of a convolution with respect to its weight, and how they are started.
#include "kernels/cuda/conv3d_weight_gradient.h"

#include <string>

#include "kernels/cuda/compile.h"
#include "kernels/cuda/conv_form.h"
#include "kernels/cuda/launch_kernel.h"

namespace tpn::cuda {
namespace {

/// The convolution itself. Inputs of the gradient: x, dy; output: dweight.
ConvForm forward_form(const ops::Conv3dWeightGradient& op, const Signature& s) {
  return conv_form(op.conv, {s.inputs[0], s.outputs[0], s.inputs[1]}, s.tf32);
}

/// Bytes of x that are read, of dy and of dweight.
std::int64_t tensor_bytes(const ConvForm& form, const Shape& weight) {
  const ConvSizes& s = form.sizes;
  const std::int64_t channels = (std::int64_t{s.groups} * s.group_channels + 7) / 8 * 8;
  return element_bytes(form.type) * (form.touched * channels + std::int64_t{s.rows} * s.channels) +
         weight.count() * static_cast<std::int64_t>(sizeof(float));
}

}  // namespace

std::unique_ptr<Kernel> compile_plain(const ops::Conv3dWeightGradient& op, const Signature& signature) {
  const ConvForm form = forward_form(op, signature);
  const ConvSizes& s = form.sizes;
  const Shape& weight = signature.outputs[0].shape;
  const std::int64_t rows = weight.count() / weight[1];
  const LaunchShape shape{
      .grid = dim3(blocks_for(rows, plain_rows), blocks_for(s.group_channels, plain_channels)),
      .block = dim3(conv_threads)};
  const KernelDescription description{
      .implementation = std::string("plain_conv3d_weight_gradient (") + name_of(form.type) + ")",
      .work = {.bytes = tensor_bytes(form, weight), .multiply_adds = std::int64_t{s.rows} * weight.count()}};
  return launch_kernel(description, [=](auto in, auto out, cudaStream_t stream) {
    ConvGradientProblem problem{.sizes = s};
    problem.x = in[0].data;
    problem.dy = in[1].data;
    problem.dweight = elements<float>(out[0]);
    launch("plain_conv3d_weight_gradient", conv_plain_weight_gradient(form.type), shape, stream, problem);
  });
}

std::unique_ptr<Kernel> compile(const ops::Conv3dWeightGradient& op, const Signature& signature) {
  return compile_plain(op, signature);
}

}  // namespace tpn::cuda
