#include "kernels/cpu/one_thread_kernel.h"

#include <utility>

#include <omp.h>

namespace tpn::cpu {
namespace {

/// While it lives the calling thread's pool has one thread.
class OneThread {
 public:
  OneThread() { omp_set_num_threads(1); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;
  ~OneThread() { omp_set_num_threads(before_); }

 private:
  int before_ = omp_get_max_threads();
};

class OneThreadKernel final : public Kernel {
 public:
  explicit OneThreadKernel(std::unique_ptr<Kernel> kernel) : kernel_(std::move(kernel)) {}

  [[nodiscard]] std::span<const std::shared_ptr<const Packing>> packings() const override {
    return kernel_->packings();
  }
  void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
           std::span<const std::byte* const> packed, std::byte* scratch, Stream& stream) const override {
    const OneThread one;
    kernel_->run(inputs, outputs, packed, scratch, stream);
  }
  [[nodiscard]] std::size_t scratch_bytes() const override { return kernel_->scratch_bytes(); }
  [[nodiscard]] std::string implementation() const override { return kernel_->implementation(); }
  [[nodiscard]] KernelWork work() const override { return kernel_->work(); }
  [[nodiscard]] int in_place_input() const override { return kernel_->in_place_input(); }

 private:
  std::unique_ptr<Kernel> kernel_;
};

}  // namespace

std::unique_ptr<Kernel> with_one_thread(const std::function<std::unique_ptr<Kernel>()>& compile) {
  const OneThread one;
  return std::make_unique<OneThreadKernel>(compile());
}

}  // namespace tpn::cpu
