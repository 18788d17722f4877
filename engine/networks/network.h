// Builds the graph of a configuration, and tells which parameters it has.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/model/config.h"
#include "kernels/tensor.h"

namespace tpn {

/// What a parameter is for: decides its random initialisation and whether a file may lack it.
enum class ParameterKind {
  conv_weight,
  bn_scale,
  bn_shift,
  bn_mean,
  bn_variance,
  bn_batches,
  fc_weight,
  fc_bias
};

/// A tensor of the state_dict, mmaction2's name and PyTorch's shape (2D convolutions of TSM have rank 4).
struct ParameterSpec {
  std::string name;
  Shape shape;
  ParameterKind kind;
  bool training_only = false;  ///< of the auxiliary head: inference never loads it
  [[nodiscard]] bool is_buffer() const {
    return kind == ParameterKind::bn_mean || kind == ParameterKind::bn_variance ||
           kind == ParameterKind::bn_batches;
  }
};

/// Every tensor of the model's state_dict, the auxiliary head and num_batches_tracked included, in the order
/// of mmaction2's state_dict.
std::vector<ParameterSpec> parameter_specs(const Config& config);

/// Size of a batch of views, each normalised: (views, T, H, W, 3).
struct InputSize {
  std::int64_t views = 1;
  std::int64_t frames = 8;
  std::int64_t height = 256;
  std::int64_t width = 256;

  bool operator==(const InputSize&) const = default;
};

/// How a network trains.
struct TrainingForm {
  /// Name of the input that dropout draws from, (seed, step) in i64.
  static constexpr std::string_view random_state = "random_state";

  /// Share of the elements before the classifiers that are zeroed, if not the model's own.
  std::optional<double> dropout;
  /// Names of modules, such as "backbone" or "backbone.layer1.0", whose parameters are not learned and whose
  /// batch norms use and keep their running statistics.
  std::vector<std::string> frozen;
  /// Whether batch norms that are learned use the statistics of the batch, and keep them; else they use their
  /// running statistics and only scale and shift are learned (mmaction2's norm_eval).
  bool batch_statistics = true;
  /// The graph begins behind the neck: its input "input" is what build_pooled_network gives, (views, C) in
  /// f32, and only the classifier is there. For training with backbone and neck frozen.
  bool from_pooled = false;

  /// Whether a parameter of that name, or module, is or lies in a frozen module.
  [[nodiscard]] bool freezes(std::string_view name) const;
};

/// The name of what the classifier reads, (views, C): the neck's output averaged over positions.
inline constexpr std::string_view pooled_feature = "pooled";

/// The inference graph: input (views, T, H, W, 3) named "input", output "logits" (views, K); every
/// intermediate feature that the reference names ("stem", "stage1", ..., "neck") is a named value, and
/// pooled_feature. Throws Error when the size is too small for the network.
Graph build_network(const Config& config, const InputSize& size);

/// The inference graph up to the classifier: output pooled_feature. Throws as build_network does.
Graph build_pooled_network(const Config& config, const InputSize& size);
/// The rest of it: input "input" (views, C), which is that, in f32, and output "logits" (views, K).
Graph build_classifier(const Config& config, std::int64_t views);

/// The names of the inference graph's intermediate features, in the order in which they are computed;
/// pooled_feature and "logits" are not among them.
std::vector<std::string> feature_names(const Config& config);

/// The forward pass of training: batch norm with the statistics of the batch, dropout, and the auxiliary
/// head. Inputs: "input" as above and, with dropout, TrainingForm::random_state. Features: those
/// above and "aux_logits" (views, K), where the model has that head. Throws Error as build_network does, and
/// when a frozen name is none of a module or parameter.
Graph build_training_network(const Config& config, const InputSize& size, const TrainingForm& form);

}  // namespace tpn
