#include "kernels/cpu/onednn.h"

#include <cstring>
#include <new>
#include <string>
#include <utility>

#include <sys/mman.h>

#include "kernels/batch_norm_folding.h"
#include "kernels/cpu/contention.h"

namespace tpn::cpu {

using dnnl::memory;

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

memory bound_memory(const memory::desc& desc, const std::byte* data) {
  return {desc, cpu_engine(), const_cast<std::byte*>(data)};
}

std::size_t padded(std::size_t bytes) {
  return (bytes + HostBuffer::alignment - 1) / HostBuffer::alignment * HostBuffer::alignment;
}

namespace {

/// A weight reordered into the layout of a primitive; with a batch norm multiplied by its scale, and followed
/// by its shift, (O) f32.
class OnednnPacking final : public Packing {
 public:
  OnednnPacking(const ops::FusedConv3d& op, std::span<const Operand> operands, const std::string& form,
                std::size_t weight_bytes, std::vector<PackPart> parts, int output_mask)
      : Packing("onednn " + form, operands,
                op.norm ? std::vector<std::size_t>{1, 2, 3, 4, 5} : std::vector<std::size_t>{1},
                op.norm ? padded(weight_bytes) + operands[2].shape.count() * sizeof(float) : weight_bytes),
        norm_(op.norm),
        eps_(op.eps),
        variance_(op.norm ? operands[5].name : ""),
        bias_offset_(padded(weight_bytes)),
        parts_(std::move(parts)),
        output_mask_(output_mask) {}

  void pack(std::span<const ConstTensorView> sources, std::byte* packed, Stream&) const override {
    std::vector<float> scale;
    if (norm_) {
      FoldedNorm norm = fold_batch_norm(sources.subspan(1), eps_);
      std::memcpy(packed + bias_offset_, norm.shift.data(), norm.shift.size() * sizeof(float));
      scale = std::move(norm.scale);
    }
    try {
      dnnl::stream stream(cpu_engine());
      for (const PackPart& part : parts_) {
        memory from = bound_memory(part.source,
                                   sources[0].data + part.offset * static_cast<std::int64_t>(sizeof(float)));
        memory to = bound_memory(part.target, packed);
        reorder_scaled(stream, from, to, output_mask_, scale);
      }
      stream.wait();
    } catch (const dnnl::error& e) {
      throw Error("oneDNN could not pack a weight of " + to_string(sources[0].shape) + ": " + e.what() + ".");
    }
  }
  void check(std::span<const ConstTensorView> sources) const override {
    if (norm_) check_batch_norm(sources.subspan(1), eps_, variance_);
  }

 private:
  bool norm_;
  double eps_;
  std::string variance_;
  std::size_t bias_offset_;
  std::vector<PackPart> parts_;
  int output_mask_;
};

}  // namespace

memory::data_type onednn_type(DType dtype) {
  if (dtype == DType::f32) return memory::data_type::f32;
  if (dtype == DType::bf16) return memory::data_type::bf16;
  throw Error("The CPU convolves in f32 and bf16; it was asked for " + std::string(name_of(dtype)) + ".");
}

bool computes_with(dnnl::cpu_isa isa) {
  // A set's bits are those of all sets that it includes.
  const auto needed = static_cast<unsigned>(isa);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & needed) == needed;
}

dnnl::primitive_attr epilogue(const ops::FusedConv3d& op) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  dnnl::post_ops after;
  if (op.residual) after.append_sum(1.0F);
  // oneDNN's ReLU makes 0 of NaN and would hide that something is wrong; with a slope it does not. This one
  // is so small that what is left of negative values does not show in any sum.
  constexpr float slope = 1e-30F;
  if (op.relu) append_relu(after, slope);
  attributes.set_post_ops(after);
  return attributes;
}

void require_room_for_code() {
  constexpr std::size_t bytes = std::size_t{64} << 20U;  // a primitive has up to dozens of kernels
  void* room =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) throw std::bad_alloc();
  ::munmap(room, bytes);
}

std::shared_ptr<const Packing> weight_packing(const ops::FusedConv3d& op, const Signature& signature,
                                              const std::string& form, const memory::desc& weight,
                                              std::vector<PackPart> parts, int output_mask) {
  const std::string norm = op.norm ? norm_key(op.eps) : "no norm";
  const std::string key =
      form + "|" + norm + "|" +
      layout_key(weight);  // two primitives that ask for the same layout share their weights
  return std::make_shared<const OnednnPacking>(op, signature.inputs, key, weight.get_size(), std::move(parts),
                                               output_mask);
}

void OnednnKernel::pack_as(const ops::FusedConv3d& op, const Signature& signature, const std::string& form,
                           std::vector<PackPart> parts, int output_mask) {
  packing_ = weight_packing(op, signature, form, weight_, std::move(parts), output_mask);
  if (op.norm) bias_offset_ = padded(weight_.get_size());
}

void OnednnKernel::execute(const std::byte* source, std::span<const ConstTensorView> inputs,
                           const TensorView& y, const std::byte* packed, std::byte* scratchpad) const {
  if (residual_ >= 0) {
    const std::byte* residual = inputs[static_cast<std::size_t>(residual_)].data;
    if (residual != y.data) std::memcpy(y.data, residual, y.bytes());
  }
  std::unordered_map<int, memory> arguments{{DNNL_ARG_SRC, bound_memory(source_, source)},
                                            {DNNL_ARG_WEIGHTS, bound_memory(weight_, packed)},
                                            {DNNL_ARG_DST, bound_memory(target_, y.data)},
                                            {DNNL_ARG_SCRATCHPAD, bound_memory(scratchpad_, scratchpad)}};
  if (bias_offset_ > 0) arguments.emplace(DNNL_ARG_BIAS, bound_memory(bias_, packed + bias_offset_));
  dnnl::stream stream(cpu_engine());
  primitive_.execute(stream, arguments);
  stream.wait();
  notice_contention();
}

}  // namespace tpn::cpu
