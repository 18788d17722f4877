// Runs a plan.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/exec/parameter_store.h"
#include "engine/plan/plan.h"
#include "kernels/memory.h"
#include "kernels/stream.h"

namespace tpn {

/// A result in the layout of the reference: channels before frames.
struct Feature {
  Shape shape;  ///< (N,C,T,H,W), or (N,K)
  std::vector<float> values;
};

/// Owns the memory of one run at a time, or shares it, and the stream that runs it. Not thread-safe; several
/// executors may share a plan. Stays where it is: recorded work refers to it.
class Executor {
 public:
  /// store: holds what the plan calls persistent; none for plans of inference. arena: memory of another
  /// executor on the same device, to be used in its place where it suffices: what one has of inputs and
  /// results is then void as soon as the other's are written. Throws OutOfMemory when the device has no room
  /// for the plan's arena, and Error when the store lacks a tensor.
  explicit Executor(std::shared_ptr<const Plan> plan, std::shared_ptr<ParameterStore> store = nullptr,
                    std::shared_ptr<const Buffer> arena = nullptr);
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  ~Executor() = default;

  [[nodiscard]] const Plan& plan() const { return *plan_; }
  /// The memory of its runs.
  [[nodiscard]] const std::shared_ptr<const Buffer>& arena() const { return arena_; }

  /// Where the caller writes the normalised views before each run: (views, T, H, W, C) in the plan's
  /// precision, dense, in the host's memory.
  [[nodiscard]] TensorView input() const { return input_view(0); }
  /// The same for any input of the plan; throws Error when there is none of that name.
  [[nodiscard]] TensorView input(std::string_view name) const;

  /// Runs the plan on its inputs and waits for it.
  void run();
  /// Enqueues a run on its inputs, step by step: `after` is called when each has been enqueued, on the host's
  /// stream done. The caller synchronizes stream() before looking at results.
  void start(const std::function<void(const Step&)>& after);

  /// Where the views, the plan's only input, may be written instead, by work on stream(): in the device's
  /// memory, (views, T, H, W, C), pixels plan().input().stride() elements apart.
  [[nodiscard]] TensorView device_input() const { return view(plan_->input()); }
  /// Enqueues a run on what device_input() holds by then. The caller synchronizes stream() before looking at
  /// results.
  void enqueue();

  /// Runs the plan on input() step by step and returns the seconds of each.
  std::vector<double> run_timed();

  /// Runs the plan on its inputs step by step until an input or a result is not finite somewhere,
  /// and returns its name; none when all are finite. Indices and what is no result of a step are not looked
  /// at.
  std::optional<std::string> first_not_finite();

  /// Runs the plan step by step on whatever its input holds, and tells which of the backend's kernels each
  /// step starts.
  std::vector<std::vector<LaunchReport>> observe_launches();

  /// A dense tensor in the host's memory, valid until the next run or the next call for it; throws Error for
  /// a result that the plan does not keep.
  [[nodiscard]] ConstTensorView result(std::string_view name) const;
  /// A copy of a result in the reference's layout, as floats.
  [[nodiscard]] Feature feature(std::string_view name) const;

  /// The stream of this executor's work.
  [[nodiscard]] Stream& stream() const { return *stream_; }

 private:
  [[nodiscard]] TensorView view(const Slot& slot) const;
  /// A dense copy in the host's memory, valid until the next call; the value itself where that is its memory.
  [[nodiscard]] ConstTensorView on_host(const Slot& slot) const;
  [[nodiscard]] TensorView input_view(std::size_t index) const;
  [[nodiscard]] const std::byte* place(const FormSlot& form) const;
  void upload_inputs();
  /// Enqueues what a run of the steps needs of the store, and tells it what they change.
  void begin_run();
  void run_step(const Step& step) const;
  void run_steps();

  std::shared_ptr<const Plan> plan_;
  std::shared_ptr<ParameterStore> store_;
  std::vector<TensorView> persistent_;                   ///< as the plan counts them
  std::vector<std::shared_ptr<StoredForm>> kept_forms_;  ///< likewise; where they lie never changes
  std::unique_ptr<Stream> stream_;
  std::shared_ptr<const Buffer> arena_;
  bool has_run_ = false;
  std::unique_ptr<Recording> steps_;  ///< made by the second run
  // Of devices with memory of their own:
  std::vector<HostBuffer> inputs_;      ///< input(), dense
  std::vector<Buffer> inputs_staging_;  ///< as they are uploaded, with the device's stride between pixels
  mutable Buffer staging_;              ///< of the last result that was downloaded
  mutable HostBuffer result_;
};

}  // namespace tpn
