// Puts batches of views through the network.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/devices/device_executors.h"
#include "engine/model/config.h"
#include "engine/plan/plan.h"
#include "engine/recognize/view_pipeline.h"

namespace tpn {

/// What a batch gave. Rows, and elements along the first axes of features, are views of the batch.
struct BatchResult {
  std::vector<float> logits;      ///< (views, K)
  std::vector<Feature> features;  ///< those of the plan's options, in their order

  /// The feature of that name; the plan's options have it.
  [[nodiscard]] const Feature& feature(const PlanOptions& options, std::string_view name) const;
  double inference_ms = 0;
  std::vector<std::string> warnings;  ///< whole sentences
};

/// Thread-safe: batches may go through several devices at once. A batch that a device's memory does not
/// suffice for goes through it in parts.
class BatchClassifier {
 public:
  /// config: of the model whose executors are given; stays where it is. options: which features are kept, and
  /// in which precision the network computes.
  BatchClassifier(const Config& config, PlanOptions options)
      : config_(config), options_(std::move(options)) {}

  /// Makes what a batch of so many views of the model's own size needs, so that it is there when the first
  /// batch is.
  void prepare(DeviceExecutors& device, int views) const;

  [[nodiscard]] BatchResult classify(DeviceExecutors& device, const ViewBatch& batch) const;
  /// views: (views, T, H, W, 3) in the type that the precision is stored as, in the host's memory.
  [[nodiscard]] BatchResult classify(DeviceExecutors& device, const ConstTensorView& views) const;

 private:
  [[nodiscard]] InputSize input_size(std::size_t views) const;
  /// Runs the network on views that a device makes of uploaded frames.
  [[nodiscard]] BatchResult classify_uploaded(DeviceExecutors& device, const ViewBatch& batch) const;
  /// Adds what the executor's last run gave.
  void add_run(const Executor& network, BatchResult& result) const;

  const Config& config_;
  PlanOptions options_;
};

}  // namespace tpn
