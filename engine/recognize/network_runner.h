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

namespace tpn {

/// Not thread-safe.
class NetworkRunner {
 public:
  NetworkRunner(std::shared_ptr<ModelState> model, Device device, int threads, DType precision);

  [[nodiscard]] const Config& config() const { return model_->config(); }
  [[nodiscard]] DType precision() const { return precision_; }

  /// The executor for such a batch, with these features readable after a run. Throws Error as
  /// ModelState::plan(). Valid until the next call.
  Executor& executor(const InputSize& size, const std::vector<std::string>& features);

 private:
  std::shared_ptr<ModelState> model_;
  Device device_;
  int threads_;
  DType precision_;
  std::vector<std::pair<PlanKey, std::unique_ptr<Executor>>> executors_;  // last used last
};

/// The names of the network's intermediate results, in the order in which they are computed; "logits" is not
/// among them.
std::vector<std::string> feature_names(const Config& config);

}  // namespace tpn
