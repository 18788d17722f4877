// Execution contexts with stacks of their own, switched by hand: one per CUDA thread.
#pragma once

#include <cstddef>

#include <boost/context/detail/fcontext.hpp>

#include "tests/cuda_on_cpu/sanitizer.h"

namespace tpn::cuda_on_cpu {

/// Where execution can go on. One that was not made by start() stands for the stack that switches to the
/// first of the others.
class Fiber {
 public:
  /// Lets entry(argument) begin at the next switch to this; what ran here before is forgotten. entry must
  /// not return. stack: `size` bytes below `stack_top`.
  void start(void* stack_top, std::size_t size, void (*entry)(void*), void* argument);

  /// Suspends the caller, who must be running as this fiber, and goes on with `next`.
  void switch_to(Fiber& next);

  /// For the stack that the operating system gave to the calling thread.
  void adopt_thread_stack();

 private:
  static void run(boost::context::detail::transfer_t from);

  boost::context::detail::fcontext_t context_ = nullptr;
  void (*entry_)(void*) = nullptr;
  void* argument_ = nullptr;
  // For the address sanitizer.
  const void* stack_bottom_ = nullptr;
  std::size_t stack_size_ = 0;
  void* fake_stack_ = nullptr;
};

/// Stacks of equal size. A page below each of them cannot be touched, and their tops differ in the low bits
/// of their addresses, so that equal frames do not compete for the same lines of the caches.
class StackPool {
 public:
  static constexpr std::size_t usable_bytes = std::size_t{sanitizer::checks_addresses ? 252 : 60} * 1024;

  explicit StackPool(std::size_t count);
  ~StackPool();
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;

  /// One past the highest byte of stack i.
  [[nodiscard]] void* top(std::size_t i) const;

  [[nodiscard]] bool contains(const void* address) const {
    const auto* byte = static_cast<const std::byte*>(address);
    return byte >= memory_ && byte < memory_ + bytes_;
  }

 private:
  std::byte* memory_;
  std::size_t bytes_;
};

}  // namespace tpn::cuda_on_cpu
