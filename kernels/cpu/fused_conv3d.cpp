// Convolutions through oneDNN's 2D primitives: with channels innermost, each of this family is, after a free
// reshape, a 2D convolution. Activations stay plain NHWC; weights are packed once into the layout that the
// primitive asks for.
#include "kernels/ops/fused_conv3d.h"

#include <cstring>

#include "kernels/cpu/compile.h"
#include "kernels/cpu/conv3d_product.h"
#include "kernels/cpu/conv_form2d.h"
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/patch_conv3d.h"
#include "kernels/cpu/proposal_choice.h"
#include "kernels/cpu/widened_kernel.h"
#include "kernels/cpu/winograd_conv3d.h"

namespace tpn::cpu {
namespace {

using dnnl::memory;

/// The first proposal that is wanted, else the first.
ConvolutionProposals::Proposal choose(const ConvolutionTask& task, const ProposalTraits& traits) {
  ConvolutionProposals proposals(task, cpu_engine());
  do {
    if (is_wanted(traits, proposals.current().impl_info_str())) return proposals.current();
  } while (proposals.next());
  return ConvolutionProposals(task, cpu_engine()).current();
}

class ConvolutionKernel final : public OnednnKernel {
 public:
  ConvolutionKernel(const ops::FusedConv3d& op, const Signature& s) : OnednnKernel(op) {
    const ConvForm2d form = conv_form2d(op.conv, s.inputs[0].shape, s.inputs[1].shape, s.outputs[0].shape);
    const memory::data_type type = onednn_type(s.outputs[0].dtype);
    ConvolutionTask task{.source = {form.source, type, memory::format_tag::nhwc},
                         .weight = {form.weight.shape, type, memory::format_tag::any},
                         .bias = {},
                         .target = {form.target, type, memory::format_tag::nhwc},
                         .stride = form.stride,
                         .padding = form.padding,
                         .attributes = epilogue(op)};
    if (op.norm) task.bias = {{s.outputs[0].shape[4]}, memory::data_type::f32, memory::format_tag::x};
    const memory::dim height = *(form.weight.shape.end() - 2), width = form.weight.shape.back();
    adopt<dnnl::convolution_forward>(
        choose(task, {.is_pointwise = height == 1 && width == 1,
                      .is_over_time = height > 1 && width == 1,
                      .adds = op.residual,
                      .full_vectors = form.source[1] % 16 == 0 && form.target[1] % 16 == 0,
                      .has_amx = computes_with(dnnl::cpu_isa::avx512_core_amx)}));

    const memory::desc stored(form.weight.shape, memory::data_type::f32, form.weight.strides);
    const int output_mask = op.conv.groups == 1 ? 1 << 0 : 1 << 0 | 1 << 1;  // (O,...) or (G,O/G,...)
    pack_as(op, s, "convolution at " + std::to_string(form.weight_offset),
            {{stored, form.weight_offset, weight_desc()}}, output_mask);
  }

  void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
           std::span<const std::byte* const> packed, std::byte* scratch, Stream&) const override {
    execute(inputs[0].data, inputs, outputs[0], packed[0], scratch);
  }
};

}  // namespace

std::unique_ptr<Kernel> compile(const ops::FusedConv3d& op, const Signature& signature) {
  try {
    const DType dtype = signature.outputs[0].dtype, products = winograd_products(dtype);
    const auto winograd = find_winograd(op, signature, products);
    if (winograd && pays(*winograd, op, signature, products)) {
      return compile_winograd(*winograd, op, signature, products);
    }
    if (dtype != products) {
      return widen(signature, [&](const Signature& wide) { return compile(op, wide); });
    }
    if (prefers_patches(op, signature)) return compile_patches(op, signature);
    return std::make_unique<ConvolutionKernel>(op, signature);
  } catch (const dnnl::error& e) {
    throw Error("oneDNN refused a convolution of " + to_string(signature.inputs[0].shape) +
                " with a weight of " + to_string(signature.inputs[1].shape) + ": " + e.what() + ".");
  }
}

std::unique_ptr<Kernel> compile(const ops::Conv3d& op, const Signature& signature) {
  if (auto product = compile_product(op, signature)) return product;
  return compile(ops::FusedConv3d{.conv = op}, signature);
}

}  // namespace tpn::cpu
