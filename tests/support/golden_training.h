// Goldens of training: three steps on one batch, on any backend.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/exec/executor.h"
#include "engine/exec/parameter_store.h"
#include "engine/train/training_graph.h"
#include "tests/support/golden_network.h"

namespace tpn::test {

/// A golden of training, run with one of its limits to the norm of the gradient.
class GoldenTraining {
 public:
  /// weights: the golden's, converted. variant: "clip40" or "clip0.5". options: but for `features`.
  GoldenTraining(const GoldenName& which, const std::shared_ptr<const Weights>& weights, std::string variant,
                 std::shared_ptr<const Backend> backend, PlanOptions options);

  /// One step of training, with the labels of that step (from 0). disturbance: another than 0 multiplies each
  /// element of the input by another number near 1, drawn with that seed, so that 16-bit values are rounded
  /// otherwise.
  void step(int index, std::uint32_t disturbance = 0);

  /// What the steps so far gave under the golden's names: after the first "logits", "aux_logits" and
  /// "grad/NAME", "bn1/NAME"; after the last "VARIANT/param/NAME" and "VARIANT/bn/NAME".
  [[nodiscard]] const Features& features() const { return features_; }
  /// Found and expected values of "loss_cls", "loss_aux" and "grad_norm" in the step done last.
  [[nodiscard]] const std::map<std::string, std::pair<double, double>>& scalars() const { return scalars_; }

  [[nodiscard]] const Golden& golden() const { return golden_; }
  [[nodiscard]] const Plan& plan() const { return executor_->plan(); }

 private:
  void set_input(std::string_view name, double value);
  /// Adds the statistics or parameters of the store under the prefix.
  void add_persistent(Role role, const std::string& prefix);

  Golden golden_;
  Config config_;
  std::string variant_;
  std::shared_ptr<ParameterStore> store_;
  std::unique_ptr<Executor> executor_;
  Features features_;
  std::map<std::string, std::pair<double, double>> scalars_;
};

}  // namespace tpn::test
