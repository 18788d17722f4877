// What the parts of a network are built with: a graph that grows, and the list of parameters that it asks
// for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/networks/network.h"

namespace tpn {

/// A convolution with optional batch norm and ReLU (mmaction2's ConvModule). Names under `prefix` are
/// "<conv>.weight" and "bn.{weight,bias,running_mean,running_var,num_batches_tracked}".
struct ConvUnit {
  std::string prefix;
  std::string conv = "conv";
  std::int64_t in = 0;
  std::int64_t out = 0;
  ops::Extent3 kernel{1, 1, 1};
  ops::Extent3 stride{1, 1, 1};
  std::int64_t groups = 1;
  bool norm = true;
  bool relu = true;
  bool weight_2d = false;  ///< rank-4 weight, of a 2D network
  bool pad = true;         ///< by kernel / 2; false: no padding
};

/// Collects the graph and, in the order of mmaction2's state_dict, the parameters.
class NetworkBuilder {
 public:
  /// form: of a network that trains; none for one that infers.
  explicit NetworkBuilder(std::optional<TrainingForm> form = {}) : form_(std::move(form)) {}

  ValueId conv_unit(const ConvUnit& unit, ValueId x);
  ValueId max_pool(ops::MaxPool3d pool, ValueId x, const std::string& name);
  /// Zeroes that share of the elements of x at random where the network trains, and scales the others up.
  ValueId dropout(double rate, ValueId x, const std::string& name);
  /// y = x weight^T + bias, parameters "<prefix>.weight" (classes, in) and "<prefix>.bias".
  ValueId linear(const std::string& prefix, std::int64_t in, std::int64_t classes, ValueId x);

  /// While set, parameters are marked as used in training only.
  void set_training_only(bool training_only) { training_only_ = training_only; }

  Graph graph;
  std::vector<ParameterSpec> parameters;

 private:
  ValueId constant(const std::string& name, const TensorSpec& tensor, ParameterKind kind);
  /// Batch norm of y, (N,T,H,W,channels).
  ValueId norm(const std::string& prefix, std::int64_t channels, ValueId y);
  [[nodiscard]] bool learns(const std::string& parameter) const {
    return form_ && !form_->freezes(parameter);
  }
  /// Whether a batch norm uses the statistics of the batch.
  [[nodiscard]] bool uses_batch_statistics(const std::string& prefix) const {
    return learns(prefix) && form_->batch_statistics;
  }

  std::optional<TrainingForm> form_;
  std::vector<ValueId> learned_;
  ValueId random_state_ = -1;  ///< what dropout draws from; -1: none yet
  std::uint32_t dropouts_ = 0;
  bool training_only_ = false;
};

/// Adds the backbone to the builder. x: (N,T,H,W,3). Returns the outputs of config.out_indices' stages.
/// Features: "stem", "stage1" .. "stage4".
std::vector<ValueId> build_resnet(NetworkBuilder& builder, const BackboneConfig& config, ValueId x);

/// Adds the temporal pyramid neck. Returns (N,T',H',W', pyramid_channels). With `auxiliary`, the auxiliary
/// head too, whose logits get the feature name "aux_logits".
ValueId build_pyramid(NetworkBuilder& builder, const NeckConfig& config, const std::vector<ValueId>& levels,
                      bool auxiliary);

}  // namespace tpn
