// A kernel made of a loop over the elements of f32 or bf16 tensors.
#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels/backend.h"
#include "kernels/half.h"

namespace tpn::cpu {

using Packings = std::vector<std::shared_ptr<const Packing>>;

template <class Run>
class LoopKernel final : public Kernel {
 public:
  LoopKernel(Run run, int in_place_input, Packings packings)
      : run_(std::move(run)), in_place_input_(in_place_input), packings_(std::move(packings)) {}

  [[nodiscard]] std::span<const std::shared_ptr<const Packing>> packings() const override {
    return packings_;
  }
  void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
           std::span<const std::byte* const> packed, std::byte*, Stream&) const override {
    if constexpr (std::is_invocable_v<const Run&, std::span<const ConstTensorView>,
                                      std::span<const TensorView>>) {
      run_(inputs, outputs);
    } else {
      run_(inputs, outputs, packed);
    }
  }
  [[nodiscard]] std::string implementation() const override { return "loop"; }
  [[nodiscard]] int in_place_input() const override { return in_place_input_; }

 private:
  Run run_;
  int in_place_input_;
  Packings packings_;
};

/// A kernel whose run(inputs, outputs, scratch) is the given callable, with so many bytes of scratch memory.
/// Its code must allow output 0 to share the memory of `in_place_input`, if there is one.
template <class Run>
std::unique_ptr<Kernel> scratch_kernel(std::size_t scratch_bytes, Run run, int in_place_input = -1,
                                       std::string implementation = "loop") {
  class ScratchKernel final : public Kernel {
   public:
    ScratchKernel(std::size_t bytes, Run its_run, int shared, std::string name)
        : bytes_(bytes),
          run_(std::move(its_run)),
          in_place_input_(shared),
          implementation_(std::move(name)) {}

    void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
             std::span<const std::byte* const>, std::byte* scratch, Stream&) const override {
      run_(inputs, outputs, scratch);
    }
    [[nodiscard]] std::size_t scratch_bytes() const override { return bytes_; }
    [[nodiscard]] std::string implementation() const override { return implementation_; }
    [[nodiscard]] int in_place_input() const override { return in_place_input_; }

   private:
    std::size_t bytes_;
    Run run_;
    int in_place_input_;
    std::string implementation_;
  };
  return std::make_unique<ScratchKernel>(scratch_bytes, std::move(run), in_place_input,
                                         std::move(implementation));
}

/// A kernel whose run(inputs, outputs), or run(inputs, outputs, packed) with what the packings make, is the
/// given callable. `in_place_input`: as above.
template <class Run>
std::unique_ptr<Kernel> loop_kernel(Run run, int in_place_input = -1, Packings packings = {}) {
  return std::make_unique<LoopKernel<Run>>(std::move(run), in_place_input, std::move(packings));
}

/// Calls make(T{}) with the element type of activations, float or Bf16, and returns what it returns.
template <class Make>
auto with_element_type(DType dtype, const Make& make) {
  if (dtype == DType::bf16) return make(Bf16{});
  if (dtype == DType::f32) return make(float{});
  throw Error("The CPU computes in f32 and bf16; it was asked for " + std::string(name_of(dtype)) + ".");
}

/// Elements that a thread should have at least before a loop is shared out.
inline constexpr std::int64_t elementwise_grain = 16384;

}  // namespace tpn::cpu
