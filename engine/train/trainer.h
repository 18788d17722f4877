// Training, step by step.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/exec/executor.h"
#include "engine/exec/parameter_store.h"
#include "engine/train/training_graph.h"

namespace tpn {

/// What a step found before it changed anything.
struct StepResult {
  double loss = 0;            ///< what is minimised: of the class head and, weighted, of the auxiliary head
  double gradient_norm = 0;   ///< before clipping
  std::vector<float> logits;  ///< (N,K) of the class head
};

/// What may change from step to step.
struct StepOptions {
  double learning_rate = 0.01;
  double loss_scale =
      1;  ///< of 16-bit gradients that would vanish; a step whose gradients overflow changes nothing
  std::int64_t seed = 0;  ///< of dropout
};

/// Trains a network on one device with batches of one size. Not thread-safe.
class Trainer {
 public:
  /// Throws Error when the device cannot train the network in that precision, or a weight is missing, and
  /// OutOfMemory.
  Trainer(const Config& config, const InputSize& size, const TrainingOptions& options,
          const std::shared_ptr<const Backend>& backend, const PlanOptions& plan, const Weights& weights);

  /// Where the caller writes the normalised views of the next step: (N,T,H,W,3) in the precision, in the
  /// host's memory.
  [[nodiscard]] TensorView views() const { return executor_->input(); }

  /// One step on views(). labels: N; class_weights: K, where the options have them. Throws Error for a label
  /// that is no class, before anything has changed.
  StepResult step(std::span<const std::int64_t> labels, const StepOptions& options,
                  std::span<const float> class_weights = {});
  /// The same, kernel by kernel: `seconds` receives the time of each step of the plan.
  StepResult step_timed(std::span<const std::int64_t> labels, const StepOptions& options,
                        std::vector<double>& seconds, std::span<const float> class_weights = {});

  /// Begins anew with these weights: no momentum, and no steps done. Throws Error when one is missing.
  void restart(const Weights& weights);

  /// Steps that were done.
  [[nodiscard]] std::int64_t steps() const { return steps_; }
  [[nodiscard]] ParameterStore& store() const { return *store_; }
  [[nodiscard]] const Plan& plan() const { return executor_->plan(); }

 private:
  void bind(std::span<const std::int64_t> labels, const StepOptions& options,
            std::span<const float> class_weights);
  /// Of the step that has just run.
  StepResult finish();

  std::int64_t classes_;
  bool auxiliary_ = false;  ///< whether there is a second loss
  std::shared_ptr<ParameterStore> store_;
  std::unique_ptr<Executor> executor_;
  std::int64_t steps_ = 0;
};

}  // namespace tpn
