#include "kernels/cuda/libraries/library_weights.h"

#include <string>
#include <vector>

#include "kernels/batch_norm_folding.h"
#include "kernels/cuda/conv_form.h"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/cuda/packing.h"

namespace tpn::cuda {
namespace {

int padded_channels(std::int64_t channels) {
  return static_cast<int>((channels + channel_alignment - 1) / channel_alignment * channel_alignment);
}

std::size_t padded_part(std::size_t bytes) {
  return (bytes + part_alignment - 1) / part_alignment * part_alignment;
}

ConvType packed_type(DType dtype) {
  return dtype == DType::f16 ? ConvType::f16 : dtype == DType::bf16 ? ConvType::bf16 : ConvType::f32;
}

}  // namespace

struct LibraryPacking::Form {
  Permutation weights;
  DType dtype = DType::f32;
  int outputs = 0;  ///< padded
  std::size_t bias = 0, scale = 0,
              bytes = 0;  ///< where the bias and, with a batch norm, its scale (f32) begin
  bool norm = false;
  double eps = 0;
  std::string variance;
};

Permutation library_order(const Shape& weight, std::int64_t groups) {
  const std::int64_t out = weight[0], in = weight[1], taps = weight.count() / (out * in);
  return {.extents = {padded_channels(out), static_cast<int>(taps),
                      groups == 1 ? padded_channels(in) : static_cast<int>(in)},
          .strides = {in * taps, 1, taps},
          .valid_a = static_cast<int>(out),
          .valid_c = static_cast<int>(in)};
}

LibraryPacking::Form LibraryPacking::form_of(const ops::FusedConv3d& op, const Signature& signature) {
  Form form;
  form.dtype = signature.outputs[0].dtype;
  form.weights = library_order(signature.inputs[1].shape, op.conv.groups);
  form.outputs = form.weights.extents[0];
  const auto outputs = static_cast<std::size_t>(form.outputs);
  form.bias = padded_part(static_cast<std::size_t>(form.weights.count()) * size_of(form.dtype));
  form.scale = form.bias + padded_part(outputs * size_of(form.dtype));
  form.norm = op.norm;
  form.bytes = op.norm ? form.scale + outputs * sizeof(float) : form.scale;
  form.eps = op.eps;
  if (op.norm) form.variance = signature.inputs[5].name;
  return form;
}

LibraryPacking::LibraryPacking(const ops::FusedConv3d& op, const Signature& signature)
    : LibraryPacking(op, signature, form_of(op, signature)) {}

LibraryPacking::LibraryPacking(const ops::FusedConv3d& op, const Signature& signature, const Form& form)
    : Packing("cuda library " + std::string(tpn::name_of(form.dtype)) + " " +
                  (op.norm ? norm_key(op.eps) : "no norm") + " inputs " +
                  std::to_string(form.weights.extents[2]),
              signature.inputs,
              op.norm ? std::vector<std::size_t>{1, 2, 3, 4, 5} : std::vector<std::size_t>{1}, form.bytes),
      form_(std::make_shared<const Form>(form)) {}

void LibraryPacking::pack(std::span<const ConstTensorView> sources, std::byte* packed, Stream& stream) const {
  const float* scale = nullptr;
  if (form_->norm) {
    auto* const made = reinterpret_cast<float*>(packed + form_->scale);
    with_element_type(form_->dtype, [&]<class T>(T) {
      enqueue_folding(sources.subspan(1), form_->eps, form_->outputs, made,
                      reinterpret_cast<T*>(packed + form_->bias), stream_of(stream));
    });
    scale = made;
  } else {
    stream.clear(packed + form_->bias, static_cast<std::size_t>(form_->outputs) * size_of(form_->dtype));
  }
  enqueue_permutation(form_->weights, packed_type(form_->dtype), elements<float>(sources[0]), scale, packed,
                      stream_of(stream));
}

void LibraryPacking::check(std::span<const ConstTensorView> sources) const {
  if (form_->norm) check_batch_norm(sources.subspan(1), form_->eps, form_->variance);
}

std::size_t LibraryPacking::bias_offset() const {
  return form_->bias;
}

}  // namespace tpn::cuda
