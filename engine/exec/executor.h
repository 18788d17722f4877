// Runs a plan.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "engine/plan/plan.h"
#include "kernels/memory.h"

namespace tpn {

/// A result in the layout of the reference: channels before frames.
struct Feature {
  Shape shape;  ///< (N,C,T,H,W), or (N,K)
  std::vector<float> values;
};

/// Owns the memory of one run at a time. Not thread-safe; several executors may share a plan.
class Executor {
 public:
  explicit Executor(std::shared_ptr<const Plan> plan);

  [[nodiscard]] const Plan& plan() const { return *plan_; }

  /// Where the caller writes the normalised views, (views, T, H, W, C) in the plan's precision, before each
  /// run.
  [[nodiscard]] TensorView input() const;

  /// seconds: where not null, the time of each step is put there.
  void run(std::vector<double>* seconds = nullptr);

  /// Valid until the next run; throws Error for a result that the plan does not keep.
  [[nodiscard]] ConstTensorView result(std::string_view name) const;
  /// A copy of a result in the reference's layout, as floats.
  [[nodiscard]] Feature feature(std::string_view name) const;

 private:
  [[nodiscard]] TensorView view(const Slot& slot) const;

  std::shared_ptr<const Plan> plan_;
  HostBuffer arena_;
};

}  // namespace tpn
