#include "engine/train/training_graph.h"

#include <algorithm>
#include <optional>
#include <span>

#include "engine/plan/differentiate.h"
#include "engine/plan/fuse.h"
#include "engine/plan/recompute.h"

namespace tpn {
namespace {

/// Adds the loss of a head of the network, a scalar; nothing where the network has no such head.
std::optional<ValueId> add_loss(Graph& graph, std::string_view logits, const ops::CrossEntropy& loss,
                                std::vector<ValueId> targets, const std::string& name) {
  const auto found = std::ranges::find(graph.features(), logits, &std::pair<std::string, ValueId>::first);
  if (found == graph.features().end()) return {};
  graph.set_role(found->second, Role::output);
  targets.insert(targets.begin(), found->second);
  const ValueId value = graph.apply(loss, std::move(targets), name);
  graph.add_feature(name, value);
  graph.set_role(value, Role::output);
  return value;
}

/// The parameters that the form does not freeze.
std::vector<ValueId> learned_parameters(const Graph& graph, const TrainingForm& form) {
  std::vector<ValueId> learned;
  for (std::size_t id = 0; id < graph.values().size(); ++id) {
    const Value& value = graph.values()[id];
    if (value.role == Role::parameter && !form.freezes(value.name))
      learned.push_back(static_cast<ValueId>(id));
  }
  if (learned.empty()) throw Error("Every parameter of the model is frozen: there is nothing to train.");
  return learned;
}

/// Whether the graph has that feature and a learned parameter is behind it.
bool is_learned(const Graph& graph, std::string_view feature, std::span<const ValueId> learned) {
  const auto found = std::ranges::find(graph.features(), feature, &std::pair<std::string, ValueId>::first);
  return found != graph.features().end() &&
         graph.dependents(learned)[static_cast<std::size_t>(found->second)];
}

}  // namespace

std::string gradient_name(std::string_view parameter) {
  return "grad/" + std::string(parameter);
}

std::string momentum_name(std::string_view parameter) {
  return "momentum/" + std::string(parameter);
}

Graph build_training_graph(const Config& config, const InputSize& size, const TrainingOptions& options) {
  Graph graph = build_training_network(config, size, options.form);
  std::vector<ValueId> features;
  for (const auto& [name, id] : graph.features()) features.push_back(id);
  graph = fuse_batch_norms(graph, features);
  const std::vector<ValueId> learned = learned_parameters(graph, options.form);

  const auto input = [&](std::string_view name, const TensorSpec& spec) {
    return graph.add_input(std::string(name), spec);
  };
  std::vector<ValueId> targets{input(training_input::labels, indices({size.views}, DType::i64))};
  if (options.class_weights) {
    targets.push_back(input(training_input::class_weights, per_channel(config.head.num_classes)));
  }
  const ValueId rate = input(training_input::learning_rate, scalar());
  const ValueId scale = input(training_input::loss_scale, scalar());

  std::vector<ValueId> losses;
  const double auxiliary = config.neck.aux_head ? config.neck.aux_head->loss_weight : 0;
  const auto lose = [&](std::string_view logits, double weight, const std::string& name) {
    const ops::CrossEntropy loss{.label_smoothing = options.label_smoothing, .weight = weight};
    if (const auto value = add_loss(graph, logits, loss, targets, name)) losses.push_back(*value);
  };
  lose("logits", 1, "loss_cls");
  if (is_learned(graph, "aux_logits", learned)) lose("aux_logits", auxiliary, "loss_aux");

  const std::size_t forward_nodes = graph.nodes().size();
  const std::vector<ValueId> gradients = differentiate(graph, losses, scale, learned);
  std::vector<ValueId> all{scale}, updated{rate, scale};
  for (const ValueId gradient : gradients) {
    if (gradient >= 0) all.push_back(gradient);
  }
  const ValueId norm = graph.apply(ops::GradientNorm{}, all, "grad_norm");
  graph.add_feature("grad_norm", norm);
  graph.set_role(norm, Role::output);

  updated.push_back(norm);
  for (std::size_t i = 0; i < learned.size(); ++i) {
    if (gradients[i] < 0) continue;
    const std::string name = graph.value(learned[i]).name;
    const TensorSpec spec = graph.value(learned[i]).spec;
    graph.add_feature(gradient_name(name), gradients[i]);
    updated.insert(updated.end(),
                   {learned[i], gradients[i], graph.add_constant(momentum_name(name), spec, Role::state)});
  }
  graph.apply(ops::Sgd{.momentum = options.momentum,
                       .weight_decay = options.weight_decay,
                       .nesterov = options.nesterov,
                       .max_norm = options.max_norm},
              updated, "update");
  return options.recompute ? recompute(graph, forward_nodes) : graph;
}

}  // namespace tpn
