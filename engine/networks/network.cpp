#include "engine/networks/network.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "engine/networks/builder.h"

namespace tpn {
namespace {

/// The network up to what the classifier reads, (views, C).
ValueId build_to_pooled(NetworkBuilder& b, const Config& config, const InputSize& size, bool auxiliary) {
  const ValueId input =
      b.graph.add_input("input", activation({size.views, size.frames, size.height, size.width, 3}));
  const std::vector<ValueId> levels = build_resnet(b, config.backbone, input);
  const ValueId neck = build_pyramid(b, config.neck, levels, auxiliary);
  return b.graph.apply(ops::GlobalAvgPool{}, {neck}, "cls_head.avg_pool");
}

ValueId pooled_input(NetworkBuilder& b, const Config& config, std::int64_t views) {
  return b.graph.add_input("input", matrix({views, config.head.in_channels}));
}

/// What the classifier makes of that, (views, K).
ValueId classify(NetworkBuilder& b, const Config& config, ValueId pooled) {
  return b.linear("cls_head.fc_cls", config.head.in_channels, config.head.num_classes,
                  b.dropout(config.head.dropout_ratio, pooled, "cls_head.dropout"));
}

/// Makes a result of a value.
void put_out(Graph& graph, ValueId value, std::string name) {
  graph.add_feature(std::move(name), value);
  graph.set_role(value, Role::output);
}

NetworkBuilder build(const Config& config, const InputSize& size, bool auxiliary,
                     std::optional<TrainingForm> form = {}) {
  const bool from_pooled = form && form->from_pooled, infers = !form;
  NetworkBuilder b(std::move(form));
  const ValueId pooled =
      from_pooled ? pooled_input(b, config, size.views) : build_to_pooled(b, config, size, auxiliary);
  if (infers) b.graph.add_feature(std::string(pooled_feature), pooled);
  put_out(b.graph, classify(b, config, pooled), "logits");
  return b;
}

/// What `build` returns, for a size that the network can take; a sentence of this function's for any other.
template <class Build>
auto for_size(const Config& config, const InputSize& size, const Build& build) {
  if (config.backbone.dims == 2 && size.frames != config.backbone.num_segments) {
    throw Error("A view of this model has " + std::to_string(config.backbone.num_segments) +
                " segments; the input has " + std::to_string(size.frames) + " frames.");
  }
  try {
    return build();
  } catch (const Error& e) {
    throw Error("The network '" + config.name + "' cannot take views of " + std::to_string(size.frames) +
                " frames of " + std::to_string(size.width) + "x" + std::to_string(size.height) +
                " pixels: " + e.what());
  }
}

/// Whether the name is that of the module, or of something inside it.
bool lies_in(std::string_view name, std::string_view module) {
  return name.starts_with(module) && (name.size() == module.size() || name[module.size()] == '.');
}

}  // namespace

bool TrainingForm::freezes(std::string_view name) const {
  return std::ranges::any_of(frozen, [&](const std::string& module) { return lies_in(name, module); });
}

Graph build_network(const Config& config, const InputSize& size) {
  return for_size(config, size, [&] { return build(config, size, false).graph; });
}

Graph build_pooled_network(const Config& config, const InputSize& size) {
  return for_size(config, size, [&] {
    NetworkBuilder b;
    put_out(b.graph, build_to_pooled(b, config, size, false), std::string(pooled_feature));
    return b.graph;
  });
}

Graph build_classifier(const Config& config, std::int64_t views) {
  NetworkBuilder b;
  put_out(b.graph, classify(b, config, pooled_input(b, config, views)), "logits");
  return b.graph;
}

Graph build_training_network(const Config& config, const InputSize& size, const TrainingForm& form) {
  const std::vector<ParameterSpec> specs = parameter_specs(config);
  for (const std::string& module : form.frozen) {
    if (std::ranges::none_of(specs, [&](const ParameterSpec& spec) { return lies_in(spec.name, module); })) {
      throw Error("The model has no module or parameter named '" + module + "' that could be frozen.");
    }
  }
  return for_size(config, size, [&] { return build(config, size, true, form).graph; });
}

std::vector<std::string> feature_names(const Config& config) {
  std::vector<std::string> names;
  const Graph graph = build_network(config, {1, config.view_frames(), 64, 64});
  for (const auto& [name, value] : graph.features()) {
    if (name != "logits" && name != pooled_feature) names.push_back(name);
  }
  return names;
}

std::vector<ParameterSpec> parameter_specs(const Config& config) {
  // Parameters do not depend on the size of a view; this one is large enough for every stride.
  std::vector<ParameterSpec> specs = build(config, {1, config.view_frames(), 64, 64}, true).parameters;
  // The builder follows the data; mmaction2 registers the parts of the neck in this order.
  constexpr std::array<std::string_view, 8> neck_order{"neck.temporal_modulation_ops.",
                                                       "neck.downsample_ops.",
                                                       "neck.level_fusion_1.",
                                                       "neck.spatial_modulation.",
                                                       "neck.level_fusion_2.",
                                                       "neck.pyramid_fusion.",
                                                       "neck.aux_head.",
                                                       "cls_head."};
  const auto rank = [&](const ParameterSpec& spec) {
    for (std::size_t i = 0; i < neck_order.size(); ++i) {
      if (spec.name.starts_with(neck_order[i])) return i + 1;
    }
    return std::size_t{0};  // backbone
  };
  std::stable_sort(specs.begin(), specs.end(),
                   [&](const ParameterSpec& a, const ParameterSpec& b) { return rank(a) < rank(b); });
  return specs;
}

}  // namespace tpn
