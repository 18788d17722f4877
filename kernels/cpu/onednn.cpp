#include "kernels/cpu/onednn.h"

#include <cstring>
#include <new>
#include <optional>

#include <sys/mman.h>

#include "kernels/batch_norm_folding.h"
#include "kernels/convert.h"
#include "kernels/cpu/contention.h"

namespace tpn::cpu {

using dnnl::memory;

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

namespace {

/// oneDNN takes non-const pointers for what it only reads.
memory bound_memory(const memory::desc& desc, const std::byte* data) {
  return {desc, cpu_engine(), const_cast<std::byte*>(data)};
}

/// Reorders a stored weight into `bytes` bytes, scaled per output channel by the batch norm where there is
/// one.
std::shared_ptr<const PackedWeights> pack_weights(std::span<const PackPart> parts, std::size_t bytes,
                                                  const Constant& weight,
                                                  const std::optional<FoldedNorm>& norm, int output_mask) {
  auto packed = std::make_shared<PackedWeights>();
  packed->weight = HostBuffer(bytes);
  HostBuffer widened;
  const std::byte* source = weight.view.data;
  if (weight.view.dtype != DType::f32) {
    const auto count = static_cast<std::size_t>(weight.view.shape.count());
    widened = HostBuffer(count * sizeof(float));
    convert(source, weight.view.dtype, widened.data(), DType::f32, count);
    source = widened.data();
  }
  if (norm) {
    packed->bias = HostBuffer(norm->shift.size() * sizeof(float));
    std::memcpy(packed->bias.data(), norm->shift.data(), packed->bias.bytes());
  }
  dnnl::stream stream(cpu_engine());
  for (const PackPart& part : parts) {
    memory from = bound_memory(part.source, source + part.offset * static_cast<std::int64_t>(sizeof(float)));
    memory to = bound_memory(part.target, packed->weight.data());
    reorder_scaled(stream, from, to, output_mask, norm ? norm->scale : std::vector<float>());
  }
  stream.wait();
  if (weight.release) weight.release();
  return packed;
}

}  // namespace

memory::data_type onednn_type(DType dtype) {
  if (dtype == DType::f32) return memory::data_type::f32;
  if (dtype == DType::bf16) return memory::data_type::bf16;
  throw Error("The CPU convolves in f32 and bf16; it was asked for " + std::string(name_of(dtype)) + ".");
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

void OnednnKernel::prepare(const ops::FusedConv3d& op, const Signature& signature, const std::string& form,
                           std::span<const PackPart> parts, int output_mask) {
  const std::span<const Operand> inputs = signature.inputs;
  const Constant& weight = *inputs[1].constant;
  const std::string norm_name = op.norm ? inputs[2].constant->name : "";
  const std::string key =
      form + "|" + weight.name + "|" + norm_name + "|" +
      layout_key(weight_);  // two primitives that ask for the same layout share their weights
  packed_ = signature.prepared.get<PackedWeights>(key, [&] {
    std::optional<FoldedNorm> norm;
    if (op.norm) norm = fold_batch_norm(inputs.subspan(2, 4), op.eps);
    return pack_weights(parts, weight_.get_size(), weight, norm, output_mask);
  });
}

void OnednnKernel::execute(const std::byte* source, std::span<const ConstTensorView> inputs,
                           const TensorView& y, std::byte* scratchpad) const {
  if (residual_ >= 0) {
    const std::byte* residual = inputs[static_cast<std::size_t>(residual_)].data;
    if (residual != y.data) std::memcpy(y.data, residual, y.bytes());
  }
  std::unordered_map<int, memory> arguments{{DNNL_ARG_SRC, bound_memory(source_, source)},
                                            {DNNL_ARG_WEIGHTS, bound_memory(weight_, packed_->weight.data())},
                                            {DNNL_ARG_DST, bound_memory(target_, y.data)},
                                            {DNNL_ARG_SCRATCHPAD, bound_memory(scratchpad_, scratchpad)}};
  if (packed_->bias.bytes() > 0) arguments.emplace(DNNL_ARG_BIAS, bound_memory(bias_, packed_->bias.data()));
  dnnl::stream stream(cpu_engine());
  primitive_.execute(stream, arguments);
  stream.wait();
  notice_contention();
}

}  // namespace tpn::cpu
