// What differs between oneDNN 2, which describes operations before primitives, and oneDNN 3, which does not.
// Nothing else asks for its version.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <dnnl.hpp>

namespace tpn::cpu {

/// A convolution as oneDNN sees it. Without a bias, `bias` stays empty.
struct ConvolutionTask {
  dnnl::memory::desc source, weight, bias, target;
  dnnl::memory::dims stride, padding;
  dnnl::primitive_attr attributes;
};

/// oneDNN's proposals for a convolution, best first.
class ConvolutionProposals {
 public:
  using Proposal = dnnl::convolution_forward::primitive_desc;

  ConvolutionProposals(const ConvolutionTask& task, const dnnl::engine& engine);
  ConvolutionProposals(const ConvolutionProposals&) = delete;
  ConvolutionProposals& operator=(const ConvolutionProposals&) = delete;

  /// A copy does not outlive next(): oneDNN 3 changes the proposal in place.
  [[nodiscard]] const Proposal& current() const { return current_; }

  /// Goes on to the next proposal; false, and nothing changes, after the last.
  bool next() { return current_.next_impl(); }

 private:
#if DNNL_VERSION_MAJOR < 3
  dnnl::convolution_forward::desc operation_;  // read by next_impl(), which finds nothing once it is gone
#endif
  Proposal current_;
};

#if DNNL_VERSION_MAJOR < 3
inline ConvolutionProposals::ConvolutionProposals(const ConvolutionTask& task, const dnnl::engine& engine)
    : operation_(dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, task.source,
                 task.weight, task.bias, task.target, task.stride, task.padding, task.padding),
      current_(operation_, task.attributes, engine) {}
#else
inline ConvolutionProposals::ConvolutionProposals(const ConvolutionTask& task, const dnnl::engine& engine)
    : current_(engine, dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, task.source,
               task.weight, task.bias, task.target, task.stride, task.padding, task.padding,
               task.attributes) {}
#endif

/// oneDNN's proposals for a gradient of a convolution, best first. Gradient: convolution_backward_data, where
/// the task's source is the gradient wanted, or convolution_backward_weights, where its weight is; the target
/// is the gradient given.
template <class Gradient>
class GradientProposals {
 public:
  using Proposal = typename Gradient::primitive_desc;

  GradientProposals(const ConvolutionTask& task, const dnnl::convolution_forward::primitive_desc& forward,
                    const dnnl::engine& engine);
  GradientProposals(const GradientProposals&) = delete;
  GradientProposals& operator=(const GradientProposals&) = delete;

  /// As of ConvolutionProposals.
  [[nodiscard]] const Proposal& current() const { return current_; }
  bool next() { return current_.next_impl(); }

 private:
#if DNNL_VERSION_MAJOR < 3
  typename Gradient::desc operation_;
#endif
  Proposal current_;
};

#if DNNL_VERSION_MAJOR < 3
template <class Gradient>
GradientProposals<Gradient>::GradientProposals(const ConvolutionTask& task,
                                               const dnnl::convolution_forward::primitive_desc& forward,
                                               const dnnl::engine& engine)
    : operation_(dnnl::algorithm::convolution_direct, task.source, task.weight, task.target, task.stride,
                 task.padding, task.padding),
      current_(operation_, task.attributes, engine, forward) {}
#else
template <class Gradient>
GradientProposals<Gradient>::GradientProposals(const ConvolutionTask& task,
                                               const dnnl::convolution_forward::primitive_desc& forward,
                                               const dnnl::engine& engine)
    : current_(engine, dnnl::algorithm::convolution_direct, task.source, task.weight, task.target,
               task.stride, task.padding, task.padding, forward, task.attributes) {}
#endif

/// The product of matrices, source by weight. Without a bias, `bias` is empty.
inline dnnl::matmul::primitive_desc propose_product(
    const dnnl::memory::desc& source, const dnnl::memory::desc& weight, const dnnl::memory::desc& bias,
    const dnnl::memory::desc& target, const dnnl::primitive_attr& attributes, const dnnl::engine& engine) {
#if DNNL_VERSION_MAJOR < 3
  return {dnnl::matmul::desc(source, weight, bias, target), attributes, engine};
#else
  return {engine, source, weight, bias, target, attributes};
#endif
}

/// Multiplies what is negative by the slope, after what is in `after` already.
inline void append_relu(dnnl::post_ops& after, float slope) {
#if DNNL_VERSION_MAJOR < 3
  after.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, slope, 0.0F);
#else
  after.append_eltwise(dnnl::algorithm::eltwise_relu, slope, 0.0F);
#endif
}

/// Copies `from` to `to` in its layout and type, multiplied by the factor of its place in the dimensions of
/// `mask`. No factors: 1.
inline void reorder_scaled(const dnnl::stream& stream, dnnl::memory& from, dnnl::memory& to, int mask,
                           const std::vector<float>& factors) {
  dnnl::primitive_attr attributes;
  std::unordered_map<int, dnnl::memory> arguments{{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
  if (!factors.empty()) {
#if DNNL_VERSION_MAJOR < 3
    attributes.set_output_scales(mask, factors);
#else
    attributes.set_scales_mask(DNNL_ARG_FROM, mask);
    const dnnl::memory::desc row({static_cast<dnnl::memory::dim>(factors.size())},
                                 dnnl::memory::data_type::f32, dnnl::memory::format_tag::x);
    arguments.emplace(DNNL_ARG_ATTR_SCALES | DNNL_ARG_FROM,
                      dnnl::memory(row, from.get_engine(), const_cast<float*>(factors.data())));
#endif
  }
  dnnl::reorder(dnnl::reorder::primitive_desc(from, to, attributes)).execute(stream, arguments);
}

/// Names the layout and type of a blocked tensor.
inline std::string layout_key(const dnnl::memory::desc& desc) {
#if DNNL_VERSION_MAJOR < 3
  const dnnl_memory_desc_t& d = desc.data;
  const dnnl_blocking_desc_t& b = d.format_desc.blocking;
  const std::vector<std::int64_t> sizes(d.padded_dims, d.padded_dims + d.ndims),
      strides(b.strides, b.strides + d.ndims), blocks(b.inner_blks, b.inner_blks + b.inner_nblks),
      blocked(b.inner_idxs, b.inner_idxs + b.inner_nblks);
  const int type = d.data_type;
#else
  const std::vector<std::int64_t> sizes = desc.get_padded_dims(), strides = desc.get_strides(),
                                  blocks = desc.get_inner_blks(), blocked = desc.get_inner_idxs();
  const int type = static_cast<int>(desc.get_data_type());
#endif
  std::string key = std::to_string(type);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    key += ',' + std::to_string(sizes[i]) + ':' + std::to_string(strides[i]);
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    key += ';' + std::to_string(blocks[i]) + '@' + std::to_string(blocked[i]);
  }
  return key;
}

/// Instruction sets that oneDNN tells apart, as it names them.
inline std::string_view name_of(dnnl::cpu_isa isa) {
  using dnnl::cpu_isa;
  switch (isa) {
    case cpu_isa::sse41:
      return "sse41";
    case cpu_isa::avx:
      return "avx";
    case cpu_isa::avx2:
      return "avx2";
    case cpu_isa::avx2_vnni:
      return "avx2_vnni";
    case cpu_isa::avx512_core:
      return "avx512_core";
    case cpu_isa::avx512_core_vnni:
      return "avx512_core_vnni";
    case cpu_isa::avx512_core_bf16:
      return "avx512_core_bf16";
    case cpu_isa::avx512_core_amx:
      return "avx512_core_amx";
#if DNNL_VERSION_MAJOR >= 3
    case cpu_isa::avx2_vnni_2:
      return "avx2_vnni_2";
    case cpu_isa::avx512_core_fp16:
      return "avx512_core_fp16";
    case cpu_isa::avx512_core_amx_fp16:
      return "avx512_core_amx_fp16";
#endif
    default:
      return "other instruction set";
  }
}

}  // namespace tpn::cpu
