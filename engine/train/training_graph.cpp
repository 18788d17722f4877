#include "engine/train/training_graph.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "engine/plan/differentiate.h"
#include "engine/plan/fuse.h"
#include "engine/plan/recompute.h"
#include "engine/train/synchronize_batch_norms.h"

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

/// A parameter that is learned, and its gradient or the sum of several.
struct ParameterGradient {
  ValueId parameter, gradient;
};

/// Appends the norm of the gradients and the update of the parameters.
void add_update(Graph& graph, ValueId rate, ValueId scale, std::span<const ParameterGradient> gradients,
                const TrainingOptions& options) {
  std::vector<ValueId> all{scale}, updated{rate, scale};
  for (const ParameterGradient& of : gradients) all.push_back(of.gradient);
  const ValueId norm = graph.apply(ops::GradientNorm{}, all, "grad_norm");
  graph.add_feature("grad_norm", norm);
  graph.set_role(norm, Role::output);
  updated.push_back(norm);
  for (const auto& [parameter, gradient] : gradients) {
    const TensorSpec spec = graph.value(parameter).spec;
    const std::string momentum = momentum_name(graph.value(parameter).name);
    updated.insert(updated.end(), {parameter, gradient, graph.add_constant(momentum, spec, Role::state)});
  }
  const std::vector<ValueId> results = graph.apply_all(ops::Sgd{.momentum = options.momentum,
                                                                .weight_decay = options.weight_decay,
                                                                .nesterov = options.nesterov,
                                                                .max_norm = options.max_norm},
                                                       updated, "update");
  if (options.average_decay == 0) return;
  std::vector<ValueId> averaged;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const Value& parameter = graph.value(gradients[i].parameter);
    const TensorSpec spec = parameter.spec;
    const std::string average = average_name(parameter.name);
    averaged.insert(averaged.end(), {results[2 * i], graph.add_constant(average, spec, Role::state)});
  }
  graph.apply(ops::MovingAverage{.decay = options.average_decay}, averaged, "average");
}

/// Adds the gradients to sums, some together, each as soon as the last of them has been computed.
Graph add_sums(Graph graph, ValueId keep, std::vector<ParameterGradient> gradients,
               std::size_t bucket_bytes) {
  std::vector<ValueId> sums(graph.values().size());  // of gradients
  for (const auto& [parameter, gradient] : gradients) {
    const Value& value = graph.value(parameter);
    const std::string name = sum_name(value.name);
    const TensorSpec spec = value.spec;
    sums[static_cast<std::size_t>(gradient)] = graph.add_constant(name, spec, Role::gradient);
  }
  std::vector<std::size_t> made_by(graph.values().size());
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    for (const ValueId id : graph.nodes()[i].outputs) made_by[index_of(id)] = i;
  }
  const auto maker = [&](const ParameterGradient& of) {
    return made_by[static_cast<std::size_t>(of.gradient)];
  };
  std::ranges::stable_sort(gradients, {}, maker);

  std::vector<Node> nodes;
  const std::vector<Node> before(graph.nodes().begin(), graph.nodes().end());
  std::vector<ValueId> bucket{keep};
  std::size_t bytes = 0, copied = 0;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const auto& [parameter, gradient] = gradients[i];
    bucket.insert(bucket.end(), {sums[static_cast<std::size_t>(gradient)], gradient});
    bytes += static_cast<std::size_t>(graph.value(gradient).spec.shape.count()) * sizeof(float);
    if (bytes < bucket_bytes && i + 1 < gradients.size()) continue;
    const std::size_t made = maker(gradients[i]) + 1;
    nodes.insert(nodes.end(), before.begin() + static_cast<std::ptrdiff_t>(copied),
                 before.begin() + static_cast<std::ptrdiff_t>(made));
    copied = made;
    graph.apply(ops::Accumulate{}, std::exchange(bucket, {keep}), "sums");
    nodes.push_back(graph.nodes().back());
    bytes = 0;
  }
  nodes.insert(nodes.end(), before.begin() + static_cast<std::ptrdiff_t>(copied), before.end());
  return graph.with_nodes(std::move(nodes));
}

}  // namespace

std::string gradient_name(std::string_view parameter) {
  return "grad/" + std::string(parameter);
}

std::string momentum_name(std::string_view parameter) {
  return "momentum/" + std::string(parameter);
}

std::string average_name(std::string_view parameter) {
  return "average/" + std::string(parameter);
}

std::string sum_name(std::string_view parameter) {
  return "sum/" + std::string(parameter);
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
  const bool grouped = options.grouped();
  const ValueId rate = grouped ? -1 : input(training_input::learning_rate, scalar());
  const ValueId scale = input(training_input::loss_scale, scalar());
  const ValueId keep = grouped ? input(training_input::keep, scalar()) : -1;

  std::vector<ValueId> losses;
  const double auxiliary = config.neck.aux_head ? config.neck.aux_head->loss_weight : 0;
  const auto lose = [&](std::string_view logits, double weight, const std::string& name) {
    const ops::CrossEntropy loss{.label_smoothing = options.label_smoothing, .weight = weight};
    if (const auto value = add_loss(graph, logits, loss, targets, name)) losses.push_back(*value);
  };
  lose("logits", 1, "loss_cls");
  if (is_learned(graph, "aux_logits", learned)) lose("aux_logits", auxiliary, "loss_aux");

  const std::size_t forward_nodes = graph.nodes().size();
  std::vector<ParameterGradient> gradients;
  const std::vector<ValueId> found = differentiate(graph, losses, scale, learned);
  for (std::size_t i = 0; i < learned.size(); ++i) {
    if (found[i] < 0) continue;
    graph.add_feature(gradient_name(graph.value(learned[i]).name), found[i]);
    gradients.push_back({learned[i], found[i]});
  }
  if (grouped) {
    graph = add_sums(graph, keep, gradients, options.bucket_bytes);
  } else {
    add_update(graph, rate, scale, gradients, options);
  }
  if (options.recompute) graph = recompute(graph, forward_nodes);
  return options.synchronized ? synchronize_batch_norms(graph, options.ranks) : graph;
}

Graph build_update_graph(const Graph& gradients, const TrainingOptions& options) {
  Graph graph;
  const ValueId rate = graph.add_input(std::string(training_input::learning_rate), scalar());
  const ValueId scale = graph.add_input(std::string(training_input::loss_scale), scalar());
  std::vector<ParameterGradient> sums;
  for (const Value& value : gradients.values()) {
    if (value.role != Role::gradient) continue;
    const std::string parameter = value.name.substr(sum_name("").size());
    sums.push_back({graph.add_constant(parameter, value.spec, Role::parameter),
                    graph.add_constant(value.name, value.spec, Role::gradient)});
  }
  add_update(graph, rate, scale, sums, options);
  return graph;
}

}  // namespace tpn
