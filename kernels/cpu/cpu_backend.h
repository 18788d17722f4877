// The CPU: convolutions through oneDNN, everything else in loops of our own.
#pragma once

#include "kernels/backend.h"

namespace tpn {

class CpuBackend final : public Backend {
 public:
  /// threads: how many a kernel may use; 0: cpu::default_threads(), or as many as can be started. Throws
  /// Error for numbers that make no sense and when so many cannot be started. deterministic: results do not
  /// depend on threads; convolutions, whose sums are divided among threads, have one each.
  explicit CpuBackend(int threads = 0, bool deterministic = false);

  [[nodiscard]] std::string_view name() const override { return "cpu"; }
  /// f32 everywhere; bf16 where the processor has AVX-512 (oneDNN's condition).
  [[nodiscard]] bool supports(DType dtype) const override;
  [[nodiscard]] bool supports(const AnyOp& op) const override;
  [[nodiscard]] std::unique_ptr<Kernel> compile(const AnyOp& op, const Signature& signature) const override;
  /// oneDNN's version and the instruction set it uses.
  [[nodiscard]] std::string libraries() const override;
  /// Throws OutOfMemory for more than the machine has left: the system would grant it, and end the process
  /// when it is used.
  [[nodiscard]] Buffer allocate(std::size_t bytes) const override;
  /// Starts the calling thread's pool, since nothing could be said if that failed later.
  void enter_thread() const override;

  [[nodiscard]] int threads() const { return threads_; }

 private:
  int threads_;
  bool deterministic_;
};

}  // namespace tpn
