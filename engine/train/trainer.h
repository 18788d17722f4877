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
#include "engine/parallel/communicator.h"
#include "engine/train/gradient_exchange.h"
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

/// Trains a network on one device, perhaps together with those of other processes. Not thread-safe.
class Trainer {
 public:
  /// size: of the usual batch. communicator: of options.ranks; null where there is one. collectives: of
  /// the ranks' devices; null where these exchange by way of the hosts. Throws Error when the
  /// device cannot train the network in that precision, or a weight is missing or such that there is no
  /// result, and OutOfMemory.
  Trainer(const Config& config, const InputSize& size, const TrainingOptions& options,
          const std::shared_ptr<const Backend>& backend, const PlanOptions& plan, const Weights& weights,
          std::shared_ptr<Communicator> communicator = nullptr,
          std::shared_ptr<Collectives> collectives = nullptr);

  /// Where the caller writes the normalised views of the next step: (N,T,H,W,3) in the precision, or what
  /// TrainingForm::from_pooled says; in the host's memory.
  [[nodiscard]] TensorView views() const { return usual().input(); }
  /// The same for a batch of another size, of which there is then a plan too. A smaller one takes the memory
  /// of the usual: what has been written for a step of one is void when views of the other are written.
  /// Throws as the constructor does.
  [[nodiscard]] TensorView views(std::int64_t count);

  /// One step on views(N). labels: N; class_weights: K, where the options have them. Throws Error for a label
  /// that is no class and for a number of labels for which there are no views, before anything has changed.
  StepResult step(std::span<const std::int64_t> labels, const StepOptions& options,
                  std::span<const float> class_weights = {});
  /// The same, kernel by kernel: `seconds` receives the time of each step of the plan.
  StepResult step_timed(std::span<const std::int64_t> labels, const StepOptions& options,
                        std::vector<double>& seconds, std::span<const float> class_weights = {});

  /// With options.grouped(), in place of step(): adds the gradients on views(N) to those of the group of
  /// batches whose mean is the next update's. Clips count alike, or by their class weights, whatever the
  /// sizes of their batches. N may be 0, where other ranks have clips. last: of the group, on this rank: what
  /// is complete is sent to the other ranks while the rest is computed. All ranks give as many batches. The
  /// result's norm is 0, its losses are the batch's. Throws as step() does.
  StepResult add(std::span<const std::int64_t> labels, const StepOptions& options, bool last,
                 std::span<const float> class_weights = {});
  /// Updates the parameters by the group's gradients, on all ranks alike. The losses are means over its
  /// clips; there are no logits. A group without clips changes nothing.
  StepResult update(const StepOptions& options);

  /// The name of what first holds a value that is not finite when a step runs on views(N), "input" included;
  /// none where all is finite. The parameters change as by a step.
  std::optional<std::string> first_not_finite(std::span<const std::int64_t> labels,
                                              const StepOptions& options,
                                              std::span<const float> class_weights = {});

  /// Begins anew with these weights: no momentum, averages that are these weights, and no steps done. Throws
  /// as the constructor does.
  void restart(const Weights& weights);
  /// Goes on as if `steps` steps had been done, with what store() holds by now.
  void resume(std::int64_t steps) { steps_ = steps; }

  /// Steps that were done.
  [[nodiscard]] std::int64_t steps() const { return steps_; }
  [[nodiscard]] ParameterStore& store() const { return *store_; }
  /// What outlives an update: parameters, buffers, momentum and averages.
  [[nodiscard]] const std::vector<PersistentTensor>& persistent() const { return persistent_; }
  /// Of the usual batch.
  [[nodiscard]] const Plan& plan() const { return usual().plan(); }

 private:
  /// What is known of the group of batches under way, of this rank.
  struct Group {
    std::int64_t batches = 0;
    double weight = 0;                    ///< of its clips, in usual batches
    double loss = 0, auxiliary_loss = 0;  ///< times the weight
    bool has_sums = false;                ///< whether the sums of gradients are the group's
  };

  /// Makes the store that of step 0.
  void load(const Weights& weights);
  [[nodiscard]] Graph graph(std::int64_t views) const;
  [[nodiscard]] std::shared_ptr<const Plan> plan(const Graph& graph) const;
  [[nodiscard]] bool parallel() const { return communicator_ != nullptr && communicator_->size() > 1; }
  /// What the batch's clips count.
  [[nodiscard]] double weight_of(std::span<const std::int64_t> labels,
                                 std::span<const float> class_weights) const;
  /// What takes the place of a batch without clips, so that all ranks exchange statistics as often.
  Executor& bind_stand_in(std::span<const float> class_weights);
  [[nodiscard]] Executor& usual() const { return *executors_.at(size_.views); }
  /// For a batch of as many views as there are labels, its inputs set.
  Executor& bind(std::span<const std::int64_t> labels, const StepOptions& options,
                 std::span<const float> class_weights);
  /// Of the losses that have just been computed.
  [[nodiscard]] StepResult result(const Executor& executor) const;

  Config config_;
  InputSize size_;
  TrainingOptions options_;
  std::shared_ptr<const Backend> backend_;
  PlanOptions plan_options_;
  std::shared_ptr<Communicator> communicator_;
  std::shared_ptr<Collectives> collectives_;
  bool auxiliary_ = false;  ///< whether there is a second loss
  std::shared_ptr<ParameterStore> store_;
  std::vector<PersistentTensor> persistent_;
  std::unique_ptr<Executor> update_;            ///< of groups
  std::unique_ptr<GradientExchange> exchange_;  ///< with other ranks
  Group group_;
  std::map<std::int64_t, std::unique_ptr<Executor>> executors_;  ///< by the number of views
  std::int64_t steps_ = 0;
};

/// What a ParameterStore has to hold for steps whose graph that is, and where it makes gradients for the
/// update behind it.
std::vector<PersistentTensor> persistent_tensors(const Plan& step, const Plan* update);

}  // namespace tpn
