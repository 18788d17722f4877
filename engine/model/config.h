// The configuration of a TPN: architecture, clip sampling and preprocessing, as stored in a model file.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/ops/op.h"

namespace tpn {

/// Where TSM's shifted tensor goes: into conv1 only (mmaction2), or into the projection shortcut too
/// (decisionforce).
enum class TsmPosition { residual, inplace };

/// In which order the pyramid flows are joined: bottom-up starts from the top-down sums, or beside them.
enum class FlowType { cascade, parallel };

/// ResNet-50/101: 3D SlowOnly (dims 3) or 2D TSM (dims 2).
struct BackboneConfig {
  int depth = 50;
  int dims = 3;
  int base_channels = 64;        ///< channels of the stem; stage i (0-based) puts out base_channels * 4 * 2^i
  std::vector<int> out_indices;  ///< stages handed to the neck, ascending
  std::array<int, 4> inflate{};  ///< dims 3: stages whose conv1 is (3,1,1)
  int num_segments = 8;          ///< dims 2: frames of a view
  int shift_div = 8;             ///< dims 2: C / shift_div channels move each way
  TsmPosition tsm_position = TsmPosition::residual;

  bool operator==(const BackboneConfig&) const = default;
};

struct LevelFusionConfig {
  std::vector<int> in_channels;
  std::vector<int> mid_channels;
  int out_channels = 2048;
  std::vector<ops::Extent3> downsample_scales;

  bool operator==(const LevelFusionConfig&) const = default;
};

/// Auxiliary classifier on the second-to-last level, used in training only.
struct AuxHeadConfig {
  int out_channels = 400;  ///< classes
  double loss_weight = 0.5;

  bool operator==(const AuxHeadConfig&) const = default;
};

/// Temporal pyramid neck, after "Temporal Pyramid Network for Action Recognition" (CVPR 2020), section 3.
struct NeckConfig {
  std::vector<int> in_channels;  ///< of the levels, ascending
  int out_channels = 1024;       ///< of temporal modulation
  std::vector<int> spatial_in_channels;
  int spatial_out_channels = 2048;
  std::vector<int> temporal_downsample_scales;
  std::optional<ops::Extent3> upsample_scale;    ///< absent: no top-down flow
  std::optional<ops::Extent3> downsample_scale;  ///< absent: no bottom-up flow
  bool downsample_before = false;                ///< the bottom-up flow pools before its convolution
  LevelFusionConfig level_fusion;
  std::optional<AuxHeadConfig> aux_head;
  FlowType flow_type = FlowType::cascade;
  int pyramid_channels = 2048;

  bool operator==(const NeckConfig&) const = default;
};

struct HeadConfig {
  int num_classes = 400;
  int in_channels = 2048;
  double dropout_ratio = 0.5;
  std::string average_clips =
      "prob";  ///< "prob": mean of softmax over views; "score": mean of logits; "none"

  bool operator==(const HeadConfig&) const = default;
};

/// How clips are taken from a video under the model's test protocol.
struct SamplingConfig {
  int clip_len = 8;
  int frame_interval = 8;
  int num_clips = 10;  ///< for clip_len 1 (TSM): segments
  bool twice_sample = false;
  int crops = 3;
  std::string input_format = "NCTHW";                   ///< or "NCHW" (TSM)
  std::array<double, 3> mean{123.675, 116.28, 103.53};  ///< RGB, 0..255 units
  std::array<double, 3> std{58.395, 57.12, 57.375};
  int short_side = 256;  ///< the decoded frame is resized to this short side
  int crop_size = 256;   ///< side of the square crops

  bool operator==(const SamplingConfig&) const = default;
};

/// A whole model. `name` is free text, one of builtin_config_names() for the built-in ones.
struct Config {
  std::string name;
  SamplingConfig sampling;
  BackboneConfig backbone;
  NeckConfig neck;
  HeadConfig head;
  bool fcn_test = true;  ///< kept for the way back to mmaction2; scores are the same either way

  bool operator==(const Config&) const = default;

  /// Frames of one view: clip_len, or num_segments for TSM.
  [[nodiscard]] int view_frames() const {
    return backbone.dims == 2 ? backbone.num_segments : sampling.clip_len;
  }
};

/// Parses the JSON object {name, sampling, model: {backbone, neck, cls_head, test_cfg}}; defaults stand in
/// for absent optional fields. Throws Error naming the field, what was expected and what was found; refuses
/// what is not consistent (channels of levels that do not meet, and so on), so that every Config obtained
/// here can be built.
Config parse_config(std::string_view json);

/// Parses the bare `model` object {backbone, neck, cls_head, test_cfg}, as found in checkpoints; the sampling
/// is that of the built-in configuration with this kind of backbone and these temporal scales, or the
/// defaults. Throws as parse_config does.
Config parse_model_config(std::string_view json, const std::string& name);

/// How clips are taken by the built-in configuration with this kind of backbone and these temporal scales, or
/// else by the defaults.
SamplingConfig default_sampling(const Config& config);

/// Throws Error naming the field, what was expected and what was found, when the configuration is not one
/// that can be built: a number out of range, channels or levels that do not meet, additions or concatenations
/// of unequal size.
void validate(const Config& config);

/// The JSON text that parse_config reads back to an equal Config, for a valid one. Fields that the backbone's
/// kind does not have (of a shift for dims 3, of inflation for dims 2) are left out.
std::string to_json(const Config& config);

/// The nine configurations of the paper's model zoo, e.g. "tpn-slowonly-r50-8x8", "tpn-tsm-r50-1x1x8".
const std::vector<std::string>& builtin_config_names();

/// One of them, with the released class count; throws Error listing the names when there is none.
Config builtin_config(std::string_view name);

/// A built-in configuration by its name, or else the one in a JSON file. Throws Error naming what was asked
/// for.
Config load_config(const std::string& name_or_path);

}  // namespace tpn
