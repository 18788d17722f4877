// Gradients of convolutions through oneDNN's 2D primitives, in the forms of the forward pass.
#include <cstring>
#include <string_view>

#include "kernels/cpu/bf16_speed.h"
#include "kernels/cpu/compile.h"
#include "kernels/cpu/contention.h"
#include "kernels/cpu/conv3d_product.h"
#include "kernels/cpu/conv_form2d.h"
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/widened_kernel.h"
#include "kernels/ops/conv3d.h"

namespace tpn::cpu {
namespace {

using dnnl::memory;

/// A convolution's tensors as oneDNN is told of them. weight_type: of the weight, or of its gradient.
ConvolutionTask make_task(const ConvForm2d& form, memory::data_type type, memory::data_type weight_type) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return {.source = {form.source, type, memory::format_tag::nhwc},
          .weight = {form.weight.shape, weight_type, memory::format_tag::any},
          .bias = {},
          .target = {form.target, type, memory::format_tag::nhwc},
          .stride = form.stride,
          .padding = form.padding,
          .attributes = attributes};
}

/// What the primitives of the backward pass want to know of the forward pass.
dnnl::convolution_forward::primitive_desc forward_of(const ConvForm2d& form, memory::data_type type) {
  return ConvolutionProposals(make_task(form, type, type), cpu_engine()).current();
}

/// Goes on to the first proposal that computes right: jit_bf16_1x1 does not where channels do not fill a
/// vector of 16 (versions 2.6 and 3.7).
void choose(GradientProposals<dnnl::convolution_backward_data>& proposals, const ConvForm2d& form) {
  if (form.source[1] % 16 == 0 && form.target[1] % 16 == 0) return;
  while (std::string_view(proposals.current().impl_info_str()).starts_with("jit_bf16_1x1")) {
    if (!proposals.next()) throw Error("oneDNN has no right gradient of a pointwise convolution.");
  }
}

/// A stored weight, or one tap of it.
memory::desc stored_desc(const ConvForm2d& form) {
  return {form.weight.shape, memory::data_type::f32, form.weight.strides};
}

class DataGradient final : public Kernel {
 public:
  DataGradient(const ops::Conv3d& conv, const Signature& s)
      : form_(conv_form2d(conv, s.outputs[0].shape, s.inputs[1].shape, s.inputs[0].shape)) {
    const memory::data_type type = onednn_type(s.outputs[0].dtype);
    const ConvolutionTask task = make_task(form_, type, type);
    GradientProposals<dnnl::convolution_backward_data> proposals(task, forward_of(form_, type), cpu_engine());
    choose(proposals, form_);
    const auto& chosen = proposals.current();
    dx_ = chosen.diff_src_desc();
    dy_ = chosen.diff_dst_desc();
    weight_ = chosen.weights_desc();
    scratchpad_ = chosen.scratchpad_desc();
    implementation_ = chosen.impl_info_str();
    packing_ = weight_packing({.conv = conv}, s, "convolution at " + std::to_string(form_.weight_offset),
                              weight_, {{stored_desc(form_), form_.weight_offset, weight_}}, 0);
    require_room_for_code();
    primitive_ = dnnl::convolution_backward_data(chosen);
  }

  void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
           std::span<const std::byte* const> packed, std::byte* scratch, Stream&) const override {
    dnnl::stream stream(cpu_engine());
    primitive_.execute(stream, {{DNNL_ARG_DIFF_SRC, bound_memory(dx_, outputs[0].data)},
                                {DNNL_ARG_DIFF_DST, bound_memory(dy_, inputs[0].data)},
                                {DNNL_ARG_WEIGHTS, bound_memory(weight_, packed[0])},
                                {DNNL_ARG_SCRATCHPAD, bound_memory(scratchpad_, scratch)}});
    stream.wait();
    notice_contention();
  }

  [[nodiscard]] std::span<const std::shared_ptr<const Packing>> packings() const override {
    return {&packing_, 1};
  }
  [[nodiscard]] std::size_t scratch_bytes() const override { return scratchpad_.get_size(); }
  [[nodiscard]] std::string implementation() const override { return implementation_; }

 private:
  ConvForm2d form_;
  memory::desc dx_, dy_, weight_, scratchpad_;
  std::shared_ptr<const Packing> packing_;
  dnnl::convolution_backward_data primitive_;
  std::string implementation_;
};

class WeightGradient final : public Kernel {
 public:
  WeightGradient(const ops::Conv3d& conv, const Signature& s)
      : form_(conv_form2d(conv, s.inputs[0].shape, s.outputs[0].shape, s.inputs[1].shape)) {
    const memory::data_type type = onednn_type(s.inputs[0].dtype);
    const ConvolutionTask task = make_task(form_, type, memory::data_type::f32);
    const GradientProposals<dnnl::convolution_backward_weights> proposals(task, forward_of(form_, type),
                                                                          cpu_engine());
    const auto& chosen = proposals.current();
    x_ = chosen.src_desc();
    dy_ = chosen.diff_dst_desc();
    weight_ = chosen.diff_weights_desc();
    scratchpad_ = chosen.scratchpad_desc();
    implementation_ = chosen.impl_info_str();
    require_room_for_code();
    primitive_ = dnnl::convolution_backward_weights(chosen);
  }

  void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
           std::span<const std::byte* const>, std::byte* scratch, Stream&) const override {
    dnnl::stream stream(cpu_engine());
    primitive_.execute(stream, {{DNNL_ARG_SRC, bound_memory(x_, inputs[0].data)},
                                {DNNL_ARG_DIFF_DST, bound_memory(dy_, inputs[1].data)},
                                {DNNL_ARG_DIFF_WEIGHTS, bound_memory(weight_, scratch)},
                                {DNNL_ARG_SCRATCHPAD, bound_memory(scratchpad_, scratch + packed_bytes())}});
    // Taps that meet nothing but padding have no gradient.
    if (elements_of(form_.weight.shape) < outputs[0].shape.count()) {
      std::memset(outputs[0].data, 0, outputs[0].bytes());
    }
    const auto element = static_cast<std::int64_t>(sizeof(float));
    memory packed = bound_memory(weight_, scratch),
           stored = bound_memory(stored_desc(form_), outputs[0].data + form_.weight_offset * element);
    reorder_scaled(stream, packed, stored, 0, {});
    stream.wait();
    notice_contention();
  }

  [[nodiscard]] std::size_t scratch_bytes() const override { return packed_bytes() + scratchpad_.get_size(); }
  [[nodiscard]] std::string implementation() const override { return implementation_; }

 private:
  [[nodiscard]] std::size_t packed_bytes() const { return padded(weight_.get_size()); }
  static std::int64_t elements_of(const memory::dims& shape) {
    std::int64_t count = 1;
    for (const std::int64_t extent : shape) count *= extent;
    return count;
  }

  ConvForm2d form_;
  memory::desc x_, dy_, weight_, scratchpad_;
  dnnl::convolution_backward_weights primitive_;
  std::string implementation_;
};

template <class Gradient>
std::unique_ptr<Kernel> make(const ops::Conv3d& conv, const Signature& signature) {
  try {
    return std::make_unique<Gradient>(conv, signature);
  } catch (const dnnl::error& e) {
    throw Error("oneDNN refused the gradient of a convolution of " + to_string(signature.inputs[0].shape) +
                " and " + to_string(signature.inputs[1].shape) + ": " + e.what() + ".");
  }
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::Conv3dDataGradient& op, const Signature& signature) {
  if (auto product = compile_product(op, signature)) return product;
  const auto make_it = [&](const Signature& s) { return make<DataGradient>(op.conv, s); };
  const bool in_f32 = signature.inputs[0].dtype == DType::bf16 && !gains_by_bf16();
  return in_f32 ? widen(signature, make_it) : make_it(signature);
}

std::unique_ptr<Kernel> compile(const ops::Conv3dWeightGradient& op, const Signature& signature) {
  if (auto product = compile_product(op, signature)) return product;
  return make<WeightGradient>(op.conv, signature);
}

}  // namespace tpn::cpu
