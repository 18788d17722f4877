// A Kernel made of what its run() launches.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/stream.h"
#include "kernels/half.h"

namespace tpn::cuda {

/// What a kernel says of itself, see Kernel.
struct KernelDescription {
  std::string implementation;
  KernelWork work;
  int in_place_input = -1;
  std::vector<std::shared_ptr<const Packing>> packings = {};
  std::size_t scratch_bytes = 0;
};

template <class Run>
class LaunchKernel final : public Kernel {
 public:
  LaunchKernel(KernelDescription description, Run run)
      : description_(std::move(description)), run_(std::move(run)) {}

  [[nodiscard]] std::span<const std::shared_ptr<const Packing>> packings() const override {
    return description_.packings;
  }
  void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
           std::span<const std::byte* const> packed, std::byte* scratch, Stream& stream) const override {
    if constexpr (std::is_invocable_v<const Run&, decltype(inputs), decltype(outputs), cudaStream_t>) {
      run_(inputs, outputs, stream_of(stream));
    } else if constexpr (std::is_invocable_v<const Run&, decltype(inputs), decltype(outputs),
                                             decltype(packed), cudaStream_t>) {
      run_(inputs, outputs, packed, stream_of(stream));
    } else {
      run_(inputs, outputs, scratch, stream_of(stream));
    }
  }
  [[nodiscard]] std::size_t scratch_bytes() const override { return description_.scratch_bytes; }
  [[nodiscard]] std::string implementation() const override { return description_.implementation; }
  [[nodiscard]] KernelWork work() const override { return description_.work; }
  [[nodiscard]] int in_place_input() const override { return description_.in_place_input; }

 private:
  KernelDescription description_;
  Run run_;
};

/// A kernel whose run(inputs, outputs, cudaStream_t), run(inputs, outputs, packed, cudaStream_t) with what
/// its packings have made, or run(inputs, outputs, std::byte* scratch, cudaStream_t) is the given callable.
template <class Run>
std::unique_ptr<Kernel> launch_kernel(KernelDescription description, Run run) {
  return std::make_unique<LaunchKernel<Run>>(std::move(description), std::move(run));
}

/// Calls make(T{}) with the element type of activations, float, F16 or Bf16, and returns what it returns.
template <class Make>
auto with_element_type(DType dtype, const Make& make) {
  switch (dtype) {
    case DType::f32:
      return make(float{});
    case DType::f16:
      return make(F16{});
    case DType::bf16:
      return make(Bf16{});
    default:
      throw Error("CUDA computes in f32, f16 and bf16; it was asked for " + std::string(name_of(dtype)) +
                  ".");
  }
}

/// The elements of an operand; throws Error unless they lie where 16-byte vectors can be read.
template <class T, class View>
auto* aligned_elements(const View& view) {
  if (view.data == nullptr || reinterpret_cast<std::uintptr_t>(view.data) % 16 != 0) {
    throw Error("A tensor of shape " + to_string(view.shape) +
                " was given to a CUDA kernel without memory aligned to 16 bytes.");
  }
  return elements<T>(view);
}

/// For kernels that run over `count` independent indices, any number in a thread: enough threads for all of
/// them, up to a number that fills every device several times.
inline LaunchShape one_thread_each(std::int64_t count) {
  constexpr std::int64_t threads = 256, most_blocks = 1 << 16;
  LaunchShape shape;
  shape.grid = dim3(static_cast<unsigned>(std::min((count + threads - 1) / threads, most_blocks)));
  shape.block = dim3(static_cast<unsigned>(threads));
  return shape;
}

}  // namespace tpn::cuda
