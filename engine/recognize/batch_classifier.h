// Puts batches of views through the network.
#pragma once

#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "engine/model/config.h"
#include "engine/recognize/network_runner.h"
#include "engine/recognize/network_workers.h"
#include "engine/recognize/tensor_dump.h"
#include "engine/recognize/view_pipeline.h"

namespace tpn {

/// What the plan has to keep for a dump, which may be null.
std::vector<std::string> features_of(const TensorDumpWriter* dump);

/// Thread-safe: batches of a video may go through several runners at once. Rows of the logits are views.
class BatchClassifier {
 public:
  /// config: of the model whose runners are given; stays where it is.
  explicit BatchClassifier(const Config& config) : config_(config) {}

  /// Of views of the model's own size.
  [[nodiscard]] InputSize input_size(int views) const;

  /// Runs the network on a batch of a video's views and writes their rows of the logits; the dump, which may
  /// be null, gets their features.
  BatchReport classify(NetworkRunner& runner, const ViewBatch& batch, TensorDumpWriter* dump,
                       std::vector<float>& logits);
  /// The same for the views [first, first + count) of an input.
  BatchReport classify(NetworkRunner& runner, const ViewReader& input, int first, int count,
                       TensorDumpWriter* dump, std::vector<float>& logits);

 private:
  /// Writes as many views to the executor's input as it takes, from the batch's view `first` on, or returns
  /// what does so on the device.
  using Fill = std::function<Executor::WriteInput(Executor& network, int first)>;

  BatchReport run(NetworkRunner& runner, const InputSize& size, std::span<const int> views, const Fill& fill,
                  TensorDumpWriter* dump, std::vector<float>& logits);
  [[nodiscard]] Executor::WriteInput fill_on_device(const NetworkRunner& runner, const ViewBatch& batch,
                                                    int first, const Executor& network,
                                                    std::vector<std::string>& warnings) const;

  const Config& config_;
  std::mutex dump_mutex_;  // one batch is recorded at a time
};

}  // namespace tpn
