#include "weights_converter/architecture.h"

#include <algorithm>
#include <optional>

#include "engine/model/text.h"

namespace tpn {
namespace {

/// Thrown within this file: why the tensors cannot be those of a TPN.
struct NotATpn {
  CheckpointFailure failure;
};

class ShapeReader {
 public:
  ShapeReader(const NamedTensors& tensors, bool defaults_for_absent)
      : tensors_(tensors), defaults_for_absent_(defaults_for_absent) {}

  [[nodiscard]] bool has(const std::string& name) const { return tensors_.find(name) != nullptr; }

  /// The shape of a tensor, absent only where defaults may stand in. `ranks` are those that a TPN's may have.
  [[nodiscard]] std::optional<Shape> shape(const std::string& name,
                                           std::initializer_list<std::size_t> ranks) const {
    const StoredTensor* tensor = tensors_.find(name);
    if (tensor == nullptr) {
      if (defaults_for_absent_) return std::nullopt;
      throw NotATpn{
          CheckpointFailure(CheckpointError::missing_keys,
                            "The checkpoint has no tensor " + in_quotes(name) + ", which every TPN has.")};
    }
    if (std::find(ranks.begin(), ranks.end(), tensor->shape.rank()) == ranks.end()) {
      throw NotATpn{CheckpointFailure(CheckpointError::shape_mismatch,
                                      "The tensor " + in_quotes(name) + " has shape " +
                                          to_string(tensor->shape) + "; expected one of " +
                                          std::to_string(*ranks.begin()) + " dimensions.")};
    }
    return tensor->shape;
  }

  /// Sets `target` to an extent of a tensor.
  void read(int& target, const std::string& name, std::initializer_list<std::size_t> ranks,
            std::size_t axis = 0) const {
    const auto found = shape(name, ranks);
    if (!found) return;
    constexpr std::int64_t largest = 1 << 30;  // refused by validate() long before
    target = static_cast<int>(std::min((*found)[axis], largest));
  }

 private:
  const NamedTensors& tensors_;
  bool defaults_for_absent_;
};

/// The first built-in configuration of this kind; they are ordered so that the most common comes first.
Config nearest_builtin(int dims, int depth, std::size_t levels) {
  const Config* best = nullptr;
  int best_score = -1;
  static const std::vector<Config> all = [] {
    std::vector<Config> configs;
    for (const std::string& name : builtin_config_names()) configs.push_back(builtin_config(name));
    return configs;
  }();
  for (const Config& config : all) {
    const int score = 4 * static_cast<int>(config.backbone.dims == dims) +
                      2 * static_cast<int>(config.backbone.out_indices.size() == levels) +
                      static_cast<int>(config.backbone.depth == depth);
    if (score > best_score) {
      best = &config;
      best_score = score;
    }
  }
  return *best;
}

std::size_t count_levels(const ShapeReader& shapes, bool defaults_for_absent) {
  std::size_t levels = 0;
  while (levels < 4 &&
         shapes.has("neck.temporal_modulation_ops." + std::to_string(levels) + ".conv.conv.weight")) {
    ++levels;
  }
  if (levels >= 2) return levels;
  if (defaults_for_absent && levels == 0) return 2;
  throw NotATpn{CheckpointFailure(CheckpointError::missing_keys,
                                  "The checkpoint has no tensor \"neck.temporal_modulation_ops." +
                                      std::to_string(levels) +
                                      ".conv.conv.weight\"; a TPN has at least two levels.")};
}

/// Whether to build for clips (3) or for single frames with shifts (2). Weights of an image network
/// initialise the former.
int read_dims(const ShapeReader& shapes, NamingScheme scheme) {
  const auto stem = shapes.shape("backbone.conv1.conv.weight", {5, 4});
  return stem && stem->rank() == 4 && scheme != NamingScheme::torchvision ? 2 : 3;
}

void read_backbone(const ShapeReader& shapes, NamingScheme scheme, BackboneConfig& backbone) {
  shapes.read(backbone.base_channels, "backbone.conv1.conv.weight", {5, 4});
  if (backbone.dims == 2) {
    if (scheme == NamingScheme::decisionforce) backbone.tsm_position = TsmPosition::inplace;
    return;
  }
  if (scheme == NamingScheme::torchvision) return;
  for (std::size_t stage = 0; stage < backbone.inflate.size(); ++stage) {
    int& inflate = backbone.inflate.at(stage);
    int kernel = inflate != 0 ? 3 : 1;
    shapes.read(kernel, "backbone.layer" + std::to_string(stage + 1) + ".0.conv1.conv.weight", {5}, 2);
    inflate = kernel == 3 ? 1 : 0;
  }
}

void read_neck(const ShapeReader& shapes, std::size_t levels, Config& config) {
  NeckConfig& neck = config.neck;
  neck.in_channels.clear();
  for (const int stage : config.backbone.out_indices) {
    neck.in_channels.push_back(std::min(config.backbone.base_channels, 1 << 20) * 4 << stage);
  }
  neck.spatial_in_channels = neck.in_channels;
  neck.spatial_out_channels = neck.in_channels.back();
  shapes.read(neck.out_channels, "neck.temporal_modulation_ops.0.conv.conv.weight", {5});
  LevelFusionConfig& fusion = neck.level_fusion;
  fusion.in_channels.assign(levels, neck.out_channels);
  for (std::size_t i = 0; i < levels; ++i) {
    shapes.read(fusion.mid_channels.at(i),
                "neck.level_fusion_1.downsamples." + std::to_string(i) + ".conv.conv.weight", {5});
  }
  shapes.read(fusion.out_channels, "neck.level_fusion_1.fusion_conv.conv.weight", {5});
  shapes.read(neck.pyramid_channels, "neck.pyramid_fusion.conv.weight", {5});
}

/// Sets what tensor shapes show, in the nearest built-in configuration.
Config read_shapes(const NamedTensors& tensors, bool defaults_for_absent) {
  const ShapeReader shapes(tensors, defaults_for_absent);
  const int dims = read_dims(shapes, tensors.scheme());
  const int depth = shapes.has("backbone.layer3.6.conv2.conv.weight") ? 101 : 50;
  const std::size_t levels = count_levels(shapes, defaults_for_absent);
  Config config = nearest_builtin(dims, depth, levels);
  config.backbone.depth = depth;
  if (config.backbone.out_indices.size() != levels) {
    throw NotATpn{
        CheckpointFailure(CheckpointError::shape_mismatch,
                          "The checkpoint's neck has " + std::to_string(levels) +
                              " levels, which no built-in configuration has; describe it with --config.")};
  }
  read_backbone(shapes, tensors.scheme(), config.backbone);
  read_neck(shapes, levels, config);
  const bool has_head = shapes.has("cls_head.fc_cls.weight") || !shapes.has("neck.aux_head.fc.weight");
  shapes.read(config.head.num_classes, has_head ? "cls_head.fc_cls.weight" : "neck.aux_head.fc.weight", {2});
  config.head.in_channels = config.neck.pyramid_channels;
  if (shapes.has("neck.aux_head.fc.weight") || defaults_for_absent) {
    config.neck.aux_head = AuxHeadConfig{config.head.num_classes};
  } else {
    config.neck.aux_head.reset();
  }
  const bool has_flow = shapes.has("neck.downsample_ops.0.conv.conv.weight") || defaults_for_absent;
  if (!has_flow) config.neck.downsample_scale.reset();
  return config;
}

/// Whether they differ in name and classes only.
bool is_same_network(Config a, const Config& b) {
  a.name = b.name;
  a.head.num_classes = b.head.num_classes;
  if (a.neck.aux_head && b.neck.aux_head) a.neck.aux_head->out_channels = b.neck.aux_head->out_channels;
  return a == b;
}

/// Names the configuration after the built-in one that it is, or that it started from.
void name_config(Config& config) {
  for (const std::string& name : builtin_config_names()) {
    if (!is_same_network(config, builtin_config(name))) continue;
    config.name = name;
    return;
  }
  config.name += "-custom";
}

CheckpointFailure impossible(const Error& error) {
  return {CheckpointError::shape_mismatch,
          std::string("The shapes of the checkpoint's tensors are not those of a TPN that can be built: ") +
              error.what()};
}

}  // namespace

CheckpointResult<DetectedArchitecture> detect_architecture(const NamedTensors& tensors,
                                                           const MetadataConfig& metadata,
                                                           bool defaults_for_absent) {
  if (metadata.complete) {
    return DetectedArchitecture{*metadata.complete,
                                {"The configuration is the one stored in the checkpoint."}};
  }
  if (is_backbone_alone(tensors.scheme()) && !defaults_for_absent) {
    return CheckpointFailure(
        CheckpointError::missing_keys,
        "The checkpoint holds a backbone alone (names of " + std::string(name_of(tensors.scheme())) +
            "), without neck and head; --init-missing initialises those at random, for training.");
  }
  if (auto failure = refuse_without_pyramid(tensors); failure && !defaults_for_absent) return *failure;
  DetectedArchitecture result;
  try {
    result.config = read_shapes(tensors, defaults_for_absent);
    if (!metadata.assignments.is_null()) {
      Config stated = result.config;
      const bool has_scales = apply_assignments(metadata.assignments, stated);
      try {
        validate(stated);
        name_config(stated);
        result.notes.push_back(
            std::string("The architecture is read from tensor shapes and from the configuration "
                        "text in the checkpoint") +
            (has_scales ? "." : ", which does not give the temporal scales; they are assumed."));
        result.config = std::move(stated);
        return result;
      } catch (const Error& error) {
        result.notes.push_back(std::string("The configuration text in the checkpoint was not used: ") +
                               error.what());
      }
    }
    validate(result.config);
  } catch (const NotATpn& reason) {
    return reason.failure;
  } catch (const Error& error) {
    return impossible(error);
  }
  const std::string builtin = result.config.name;
  name_config(result.config);
  result.notes.push_back(
      "The architecture is read from tensor shapes. They do not show temporal scales, the order of the flows "
      "or how "
      "clips are sampled: those are assumed to be as in " +
      builtin + " (--config chooses others).");
  if (result.config.backbone.dims == 2 && tensors.scheme() == NamingScheme::decisionforce) {
    result.notes.emplace_back(
        "A TSM model of decisionforce/TPN shifts the shortcut too: tsm_position is inplace.");
  }
  return result;
}

std::optional<CheckpointFailure> refuse_without_pyramid(const NamedTensors& tensors) {
  bool has_backbone = false;
  for (std::size_t i = 0; i < tensors.checkpoint().tensors().size(); ++i) {
    const std::string& name = tensors.name(i);
    if (name.starts_with("neck.") || name.starts_with("necks.")) return std::nullopt;
    has_backbone = has_backbone || name.starts_with("backbone.");
  }
  if (!has_backbone) return std::nullopt;
  return CheckpointFailure(
      CheckpointError::missing_keys,
      "The checkpoint has a backbone but no pyramid: no tensor's name begins with \"neck.\" or \"necks.\". "
      "It "
      "is a network without TPN, such as the baselines of the original model zoo, and no configuration makes "
      "it one; --init-missing initialises the rest at random, for training.");
}

}  // namespace tpn
