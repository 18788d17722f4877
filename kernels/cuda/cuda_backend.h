// An NVIDIA GPU of compute capability 8.0 or newer.
#pragma once

#include "kernels/backend.h"
#include "kernels/cuda/device_info.h"
#include "kernels/cuda/memory.h"
#include "kernels/selection_table.h"

namespace tpn {

/// Whether kernels of NVIDIA's libraries may take the place of the project's own where they are faster.
enum class CudaLibraries { none, automatic };

struct CudaOptions {
  int device = 0;  ///< CUDA's number of the device
  CudaLibraries libraries = CudaLibraries::automatic;
  /// Whether kernels for convolutions are chosen by trying them; otherwise, and once trials have taken
  /// trial_seconds, the project's own are chosen by an estimate.
  bool trials = false;
  double trial_seconds = 30;
  /// What was found out by trials before, and what is found out now; none: it is forgotten.
  std::shared_ptr<SelectionStore> selections = {};
  /// Called with `selections` when a plan has been compiled, perhaps to save what is new.
  std::function<void(SelectionStore& selections)> on_compiled = {};
};

namespace cuda {
class KernelSelector;
}

class CudaBackend final : public Backend {
 public:
  /// Throws Error when the device is not there or cannot be used.
  explicit CudaBackend(CudaOptions options = {});
  CudaBackend(const CudaBackend&) = delete;
  CudaBackend& operator=(const CudaBackend&) = delete;
  ~CudaBackend() override;

  [[nodiscard]] std::string_view name() const override { return "cuda"; }
  /// f32, f16 and bf16.
  [[nodiscard]] bool supports(DType dtype) const override;
  [[nodiscard]] bool supports(const AnyOp& op) const override;
  [[nodiscard]] bool supports_tf32() const override { return true; }
  /// Every kernel that makes activations takes any stride.
  [[nodiscard]] bool writes_slices(const AnyOp& op) const override { return supports(op); }
  /// A pixel's channels are read in vectors of 16 bytes: 8 elements of the small types.
  [[nodiscard]] std::int64_t channel_alignment() const override { return 8; }

  [[nodiscard]] std::unique_ptr<Kernel> compile(const AnyOp& op, const Signature& signature) const override;

  void finish_compiling() const override;

  /// The device's own: pointers into one device's memory mean nothing on another.
  [[nodiscard]] std::string memory_name() const override;
  /// What CUDA aligns allocations to.
  [[nodiscard]] std::size_t memory_alignment() const override { return cuda::memory_alignment; }
  [[nodiscard]] Buffer allocate(std::size_t bytes) const override;
  [[nodiscard]] Buffer allocate_staging(std::size_t bytes) const override;
  [[nodiscard]] std::unique_ptr<Stream> make_stream() const override;
  [[nodiscard]] std::size_t free_memory() const override;
  [[nodiscard]] std::unique_ptr<ViewMaker> make_view_maker() const override;

  [[nodiscard]] std::vector<LaunchReport> observe(const std::function<void()>& work) const override;

  /// The versions of CUDA's runtime and driver, and the device's name.
  [[nodiscard]] std::string libraries() const override;
  /// Makes the device the current one of the calling thread.
  void enter_thread() const override;

  [[nodiscard]] const cuda::DeviceInfo& device() const { return device_; }

 private:
  CudaOptions options_;
  cuda::DeviceInfo device_;
  std::unique_ptr<cuda::KernelSelector> selector_;
};

}  // namespace tpn
