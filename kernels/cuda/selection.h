// Which kernel runs a convolution: the fastest on this device of those that compute the right thing.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/device_info.h"
#include "kernels/cuda/libraries/libraries.h"
#include "kernels/selection_table.h"

namespace tpn::cuda {

/// What a choice depends on besides the convolution: the device, its driver and runtime, this build of the
/// project's kernels, and the libraries whose kernels may be chosen: they are loaded to ask for their
/// versions.
std::string selection_identity(const DeviceInfo& device, std::span<const Library> libraries);

/// What a choice depends on of the convolution: everything but its weights' values and names.
std::string convolution_key(const ops::FusedConv3d& op, const Signature& signature);

struct SelectionContext {
  std::string identity;
  std::vector<Library> libraries;  ///< whose kernels are candidates
  double trial_seconds = 0;        ///< for all trials together; then kernels are chosen by an estimate
  double warm_seconds = 0;         ///< of work before a trial that finds the device idle
  std::shared_ptr<SelectionStore> store;
};

/// Chooses kernels on the current device. Thread-safe: one trial runs at a time, for timing's sake.
class ConvSelector {
 public:
  explicit ConvSelector(SelectionContext context) : context_(std::move(context)) {}

  /// The kernel that the store names, without running any; else the winner of a trial, which is put into the
  /// store. What the estimate says when the time for trials is used up, there is no memory for one, or no
  /// kernel is right (random numbers that overflow f16 say nothing about kernels). Kernel::candidates() of
  /// the result tells how it was chosen. Throws Error, naming the kernel, when a trial has broken the device.
  [[nodiscard]] std::unique_ptr<Kernel> select(const ops::FusedConv3d& op, const Signature& signature);

 private:
  [[nodiscard]] std::unique_ptr<Kernel> try_all(const ops::FusedConv3d& op, const Signature& signature,
                                                const std::string& key);

  using Clock = std::chrono::steady_clock;
  [[nodiscard]] double warm_seconds() const;

  SelectionContext context_;
  std::mutex mutex_;
  double spent_seconds_ = 0;
  std::optional<Clock::time_point> last_trial_;  // when it ended
};

}  // namespace tpn::cuda
