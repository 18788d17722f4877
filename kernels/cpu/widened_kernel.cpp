#include "kernels/cpu/widened_kernel.h"

#include <utility>
#include <vector>

#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vectorize.h"

namespace tpn::cpu {
namespace {

TPN_VECTORIZE void to_f32(const Bf16* from, float* to, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = static_cast<float>(from[i]);
}

TPN_VECTORIZE void to_bf16(const float* from, Bf16* to, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = Bf16(from[i]);
}

TPN_VECTORIZE void round_to_bf16(float* values, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) values[i] = static_cast<float>(Bf16(values[i]));
}

/// A form in f32 whose numbers are those of bf16, but for the shift of a batch norm, which ends it.
class RoundedPacking final : public Packing {
 public:
  RoundedPacking(std::shared_ptr<const Packing> exact, std::span<const Operand> operands)
      : Packing("bf16 numbers of " + exact->key(), operands,
                {exact->sources().begin(), exact->sources().end()}, exact->bytes()),
        exact_(std::move(exact)) {
    constexpr std::size_t shift = 2;  // its place among the operands of a convolution with batch norm
    const std::int64_t elements = static_cast<std::int64_t>(bytes() / sizeof(float));
    rounded_ = elements - (this->sources().size() > 1 ? operands[shift].shape.count() : 0);
  }

  void pack(std::span<const ConstTensorView> sources, std::byte* packed, Stream& stream) const override {
    exact_->pack(sources, packed, stream);
    auto* values = reinterpret_cast<float*>(packed);
    parallel_for(rounded_, elementwise_grain,
                 [&](std::int64_t begin, std::int64_t end) { round_to_bf16(values + begin, end - begin); });
  }
  void check(std::span<const ConstTensorView> sources) const override { exact_->check(sources); }

 private:
  std::shared_ptr<const Packing> exact_;
  std::int64_t rounded_ = 0;  ///< elements
};

class WidenedKernel final : public Kernel {
 public:
  WidenedKernel(std::unique_ptr<Kernel> wide, const Signature& signature) : wide_(std::move(wide)) {
    for (const auto& packing : wide_->packings()) {
      packings_.push_back(std::make_shared<const RoundedPacking>(packing, signature.inputs));
    }
    for (const auto& operands : {signature.inputs, signature.outputs}) {
      for (const Operand& operand : operands) {
        if (operand.dtype != DType::bf16) continue;
        room_ += padded(static_cast<std::size_t>(operand.shape.count()) * sizeof(float));
      }
    }
  }

  [[nodiscard]] std::span<const std::shared_ptr<const Packing>> packings() const override {
    return packings_;
  }
  void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
           std::span<const std::byte* const> packed, std::byte* scratch, Stream& stream) const override {
    std::byte* own = scratch;
    const auto room_for = [&own](const Shape& shape) {
      std::byte* place = own;
      own += padded(static_cast<std::size_t>(shape.count()) * sizeof(float));
      return place;
    };
    std::vector<ConstTensorView> wide_inputs(inputs.begin(), inputs.end());
    for (ConstTensorView& view : wide_inputs) {
      if (view.dtype != DType::bf16) continue;
      std::byte* wide = room_for(view.shape);
      const Bf16* from = elements<Bf16>(view);
      parallel_for(view.shape.count(), elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
        to_f32(from + begin, reinterpret_cast<float*>(wide) + begin, end - begin);
      });
      view = {wide, DType::f32, view.shape};
    }
    std::vector<TensorView> wide_outputs(outputs.begin(), outputs.end());
    for (TensorView& view : wide_outputs) {
      if (view.dtype == DType::bf16) view = {room_for(view.shape), DType::f32, view.shape};
    }
    wide_->run(wide_inputs, wide_outputs, packed, scratch + room_, stream);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i].dtype != DType::bf16) continue;
      const float* from = elements<float>(wide_outputs[i]);
      parallel_for(outputs[i].shape.count(), elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
        to_bf16(from + begin, elements<Bf16>(outputs[i]) + begin, end - begin);
      });
    }
  }
  [[nodiscard]] std::size_t scratch_bytes() const override { return room_ + wide_->scratch_bytes(); }
  [[nodiscard]] std::string implementation() const override { return "f32+" + wide_->implementation(); }

 private:
  std::unique_ptr<Kernel> wide_;
  Packings packings_;
  std::size_t room_ = 0;  ///< of all activations in f32, bytes
};

std::vector<Operand> in_f32(std::span<const Operand> operands) {
  std::vector<Operand> wide(operands.begin(), operands.end());
  for (Operand& operand : wide) {
    if (operand.dtype == DType::bf16) operand.dtype = DType::f32;
  }
  return wide;
}

}  // namespace

std::unique_ptr<Kernel> widen(const Signature& signature,
                              const std::function<std::unique_ptr<Kernel>(const Signature&)>& compile) {
  const std::vector<Operand> inputs = in_f32(signature.inputs), outputs = in_f32(signature.outputs);
  return std::make_unique<WidenedKernel>(compile({inputs, outputs, signature.tf32}), signature);
}

}  // namespace tpn::cpu
