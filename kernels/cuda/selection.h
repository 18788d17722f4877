// Which kernel runs an operation: the fastest on this device of those that compute the right thing.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/device_info.h"
#include "kernels/cuda/libraries/libraries.h"
#include "kernels/selection_table.h"

namespace tpn::cuda {

/// What a choice depends on besides the operation: the device, its driver and runtime, this build of the
/// project's kernels, and the libraries whose kernels may be chosen: they are loaded to ask for their
/// versions.
std::string selection_identity(const DeviceInfo& device, std::span<const Library> libraries);

/// What a choice depends on of the convolution, or its gradient: everything but its weights' values and
/// names.
std::string convolution_key(const ops::FusedConv3d& op, const Signature& signature);
std::string convolution_key(const ops::Conv3dDataGradient& op, const Signature& signature);
std::string convolution_key(const ops::Conv3dWeightGradient& op, const Signature& signature);

/// An operation of which there are several kernels.
class Selectable {
 public:
  explicit Selectable(const Signature& signature) : signature_(signature) {}
  Selectable(const Selectable&) = delete;
  Selectable& operator=(const Selectable&) = delete;
  virtual ~Selectable() = default;

  [[nodiscard]] const Signature& signature() const { return signature_; }
  /// What a choice depends on of the operation, the same for no other operation.
  [[nodiscard]] virtual std::string key() const = 0;
  /// Every kernel that can run it: the best guess first, the plain one last. What gave none but a failure is
  /// reported among `failures`.
  [[nodiscard]] virtual Kernels candidates(std::vector<CandidateReport>& failures) const = 0;
  /// The candidate of that implementation; null when there is none now.
  [[nodiscard]] virtual std::unique_ptr<Kernel> named(std::string_view implementation) const = 0;
  /// The best guess of the project's own.
  [[nodiscard]] virtual std::unique_ptr<Kernel> guess() const = 0;
  /// The plain kernel, for this signature or one of fewer views.
  [[nodiscard]] virtual std::unique_ptr<Kernel> plain(const Signature& signature) const = 0;

 private:
  const Signature& signature_;
};

struct SelectionContext {
  std::string identity;
  std::vector<Library> libraries;  ///< whose kernels are candidates
  double trial_seconds = 0;        ///< for all trials together; then kernels are chosen by an estimate
  double warm_seconds = 0;         ///< of work before a trial that finds the device idle
  std::shared_ptr<SelectionStore> store;
};

/// Chooses kernels on the current device. Thread-safe: one trial runs at a time, for timing's sake.
class KernelSelector {
 public:
  explicit KernelSelector(SelectionContext context) : context_(std::move(context)) {}

  /// The kernel that the store names, without running any; else the winner of a trial, which is put into the
  /// store. The best guess when the time for trials is used up, there is no memory for one, or no
  /// kernel is right (random numbers that overflow f16 say nothing about kernels). Kernel::candidates() of
  /// the result tells how it was chosen. Throws Error, naming the kernel, when a trial has broken the device.
  [[nodiscard]] std::unique_ptr<Kernel> select(const Selectable& operation);
  /// The same for a convolution or a gradient of one, the libraries' kernels among its candidates.
  [[nodiscard]] std::unique_ptr<Kernel> select(const ops::FusedConv3d& op, const Signature& signature);
  [[nodiscard]] std::unique_ptr<Kernel> select(const ops::Conv3d& op, const Signature& signature);
  [[nodiscard]] std::unique_ptr<Kernel> select(const ops::Conv3dDataGradient& op, const Signature& signature);
  [[nodiscard]] std::unique_ptr<Kernel> select(const ops::Conv3dWeightGradient& op,
                                               const Signature& signature);

 private:
  [[nodiscard]] std::unique_ptr<Kernel> try_all(const Selectable& operation, const std::string& key);

  using Clock = std::chrono::steady_clock;
  [[nodiscard]] double warm_seconds() const;

  SelectionContext context_;
  std::mutex mutex_;
  double spent_seconds_ = 0;
  std::optional<Clock::time_point> last_trial_;  // when it ended
};

}  // namespace tpn::cuda
