// Training, step by step.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/exec/executor.h"
#include "engine/exec/parameter_store.h"
#include "engine/train/training_graph.h"

namespace tpn {

/// What a step found before it changed anything.
struct StepResult {
  double loss = 0;            ///< what is minimised: of the class head and, weighted, of the auxiliary head
  double auxiliary_loss = 0;  ///< the auxiliary head's share of it
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

/// Trains a network on one device. Not thread-safe.
class Trainer {
 public:
  /// size: of the usual batch. Throws Error when the device cannot train the network in that precision, or a
  /// weight is missing, and OutOfMemory.
  Trainer(const Config& config, const InputSize& size, const TrainingOptions& options,
          const std::shared_ptr<const Backend>& backend, const PlanOptions& plan, const Weights& weights);

  /// Where the caller writes the normalised views of the next step: (N,T,H,W,3) in the precision, or what
  /// TrainingForm::from_pooled says; in the host's memory.
  [[nodiscard]] TensorView views() const { return usual().input(); }
  /// The same for a batch of another size, of which there is then a plan and memory too. Throws as the
  /// constructor does.
  [[nodiscard]] TensorView views(std::int64_t count);

  /// One step on views(N). labels: N; class_weights: K, where the options have them. Throws Error for a label
  /// that is no class and for a number of labels for which there are no views, before anything has changed.
  StepResult step(std::span<const std::int64_t> labels, const StepOptions& options,
                  std::span<const float> class_weights = {});
  /// The same, kernel by kernel: `seconds` receives the time of each step of the plan.
  StepResult step_timed(std::span<const std::int64_t> labels, const StepOptions& options,
                        std::vector<double>& seconds, std::span<const float> class_weights = {});

  /// The name of what first holds a value that is not finite when a step runs on views(N), "input" included;
  /// none where all is finite. The parameters change as by a step.
  std::optional<std::string> first_not_finite(std::span<const std::int64_t> labels,
                                              const StepOptions& options,
                                              std::span<const float> class_weights = {});

  /// Begins anew with these weights: no momentum, and no steps done. Throws Error when one is missing.
  void restart(const Weights& weights);
  /// Goes on as if `steps` steps had been done, with what store() holds by now.
  void resume(std::int64_t steps) { steps_ = steps; }

  /// Steps that were done.
  [[nodiscard]] std::int64_t steps() const { return steps_; }
  [[nodiscard]] ParameterStore& store() const { return *store_; }
  /// Of the usual batch.
  [[nodiscard]] const Plan& plan() const { return usual().plan(); }

 private:
  [[nodiscard]] Graph graph(std::int64_t views) const;
  [[nodiscard]] Executor& usual() const { return *executors_.at(size_.views); }
  /// For a batch of as many views as there are labels, its inputs set.
  Executor& bind(std::span<const std::int64_t> labels, const StepOptions& options,
                 std::span<const float> class_weights);
  /// Of the step that has just run.
  StepResult finish(const Executor& executor);

  Config config_;
  InputSize size_;
  TrainingOptions options_;
  std::shared_ptr<const Backend> backend_;
  PlanOptions plan_options_;
  bool auxiliary_ = false;  ///< whether there is a second loss
  std::shared_ptr<ParameterStore> store_;
  std::map<std::int64_t, std::unique_ptr<Executor>> executors_;  ///< by the number of views
  std::int64_t steps_ = 0;
};

}  // namespace tpn
