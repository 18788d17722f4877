// A step of training as a graph: forward, losses, backward, update; or as two, where an update takes the
// gradients of several batches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/networks/network.h"

namespace tpn {

struct TrainingOptions {
  TrainingForm form;
  double label_smoothing = 0;
  bool class_weights = false;  ///< whether there is an input of them
  double momentum = 0.9;
  double weight_decay = 1e-4;  ///< of every parameter, as in mmaction2's configurations of TPN
  bool nesterov = true;
  double max_norm = 40;       ///< the L2 norm of all gradients is clipped to that; 0: it is not
  double average_decay = 0;   ///< of an average of the parameters over the steps; 0: there is none
  bool recompute = true;      ///< the backward pass computes again what is cheap, instead of keeping it
  std::int64_t batches = 1;   ///< of one process, that an update takes
  std::int64_t ranks = 1;     ///< processes whose batches it takes
  bool synchronized = false;  ///< batch norms have the statistics of all ranks' batches
  /// Of gradients that are added to their sums together, as the backward pass gives them.
  std::size_t bucket_bytes = std::size_t{4} << 20U;

  /// Whether an update takes more than one batch.
  [[nodiscard]] bool grouped() const { return batches * ranks > 1; }
};

/// Names of the inputs of a training graph beside "input", the views (N,T,H,W,3).
namespace training_input {
constexpr std::string_view labels = "labels";                ///< (N) i64
constexpr std::string_view class_weights = "class_weights";  ///< (K)
constexpr std::string_view learning_rate = "learning_rate";  ///< scalar
constexpr std::string_view loss_scale = "loss_scale";        ///< scalar that the losses are multiplied by
constexpr std::string_view random_state = TrainingForm::random_state;
/// Of graphs of gradients: scalar, 0 where sums begin anew.
constexpr std::string_view keep = "keep";
/// Where batch norms are synchronized: scalar, 0 where the batch only stands for one.
constexpr std::string_view present = "present";
}  // namespace training_input

/// Of the gradient of a parameter: the name of its feature, "grad/NAME".
std::string gradient_name(std::string_view parameter);
/// Of the momentum of a parameter: the name of its state, "momentum/NAME".
std::string momentum_name(std::string_view parameter);
/// Of the average of a parameter: the name of its state, "average/NAME".
std::string average_name(std::string_view parameter);
/// Of the sum of a parameter's gradients, Role::gradient: "sum/NAME".
std::string sum_name(std::string_view parameter);

/// A graph that updates the parameters that are not frozen and the statistics of their batch norms. Outputs:
/// "logits" (N,K) and "loss_cls"; with an auxiliary head behind which something is learned (else it does not
/// run), "aux_logits" (N,K) and "loss_aux", already weighted: the losses' sum is what is minimised;
/// "grad_norm", before clipping. The gradient of each learned parameter is a
/// feature, not multiplied by the loss scale's inverse and not clipped. Losses as mmaction2's heads have
/// them, the update as its optimizer wrapper and torch.optim.SGD do (SEMANTICS.md of the reference: clipping,
/// then weight decay, momentum, Nesterov), and behind it, with options.average_decay, the averages. Throws
/// Error as build_training_network does, and when everything is frozen.
///
/// With options.grouped() it updates no parameter, and has no norm: each gradient is added to its sum.
Graph build_training_graph(const Config& config, const InputSize& size, const TrainingOptions& options);

/// The rest of a step whose gradients are in sums. gradients: the graph that makes them. Inputs: learning
/// rate; loss scale, which the sums are divided by. Output: "grad_norm".
Graph build_update_graph(const Graph& gradients, const TrainingOptions& options);

}  // namespace tpn
