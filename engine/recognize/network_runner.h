// Runs a model's network on batches of views, with executors kept from call to call.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/exec/executor.h"
#include "engine/recognize/model_state.h"
#include "kernels/view_maker.h"

namespace tpn {

/// On one device. Not thread-safe.
class NetworkRunner {
 public:
  /// Throws Error when the device is not there.
  NetworkRunner(std::shared_ptr<ModelState> model, const DeviceOptions& device, DType precision, bool tf32);

  [[nodiscard]] const Config& config() const { return model_->config(); }
  [[nodiscard]] DType precision() const { return precision_; }
  [[nodiscard]] const Backend& backend() const { return *backend_; }
  /// Makes views in the device's memory; null where the host does.
  [[nodiscard]] ViewMaker* view_maker() const { return view_maker_.get(); }

  /// Goes through `size.views` views in batches: all at once, or, where the device's memory does not suffice
  /// for that, in halves, quarters and so on, from then on. Calls run(executor, first, count) for each batch:
  /// to fill the executor's input with views [first, first + count), run it and take its results. Features
  /// are readable after a run. Returns a sentence, once, when batches had to be made smaller, be it by
  /// prepare().
  std::string run(const InputSize& size, const std::vector<std::string>& features,
                  const std::function<void(Executor& executor, int first, int count)>& run);

  /// Makes what run() needs for such a size, so that it is there when the first views are.
  void prepare(const InputSize& size, const std::vector<std::string>& features);

 private:
  Executor& executor(const InputSize& size, const std::vector<std::string>& features);
  /// The executor for as many of these views as fit into memory; shrinks size.views and, for good, the limit.
  Executor& fitting_executor(InputSize& size, const std::vector<std::string>& features);

  std::shared_ptr<ModelState> model_;
  DeviceOptions device_;
  std::shared_ptr<const Backend> backend_;
  std::unique_ptr<ViewMaker> view_maker_;
  DType precision_;
  bool tf32_;
  std::int64_t most_views_;      ///< of a batch, as far as memory goes
  std::int64_t told_views_ = 0;  ///< the limit that the last warning was about
  std::vector<std::pair<PlanKey, std::unique_ptr<Executor>>> executors_;  // last used last
};

/// The names of the network's intermediate results, in the order in which they are computed; "logits" is not
/// among them.
std::vector<std::string> feature_names(const Config& config);

}  // namespace tpn
