// The temporal pyramid neck: spatial modulation, temporal modulation, top-down and bottom-up flows, fusion
// (paper, section 3; mmaction2's models/necks/tpn.py).
#include "engine/networks/builder.h"

namespace tpn {
namespace {

constexpr std::int64_t groups = 32;  // of temporal modulation and level fusion
constexpr double auxiliary_dropout = 0.5;

/// Kernel = stride = scale, ceil_mode; nothing where the scale is 1.
ValueId pool(NetworkBuilder& b, const ops::Extent3& scale, ValueId x, const std::string& name) {
  if (scale == ops::Extent3{1, 1, 1}) return x;
  return b.max_pool({.kernel = scale, .stride = scale, .ceil_mode = true}, x, name);
}

void name_levels(NetworkBuilder& b, const std::string& feature, const std::vector<ValueId>& levels) {
  for (std::size_t i = 0; i < levels.size(); ++i)
    b.graph.add_feature(feature + "." + std::to_string(i), levels[i]);
}

/// Brings level i to the top level's channels and size: strided (1,3,3) conv units, doubling the channels
/// each.
ValueId spatial_modulation(NetworkBuilder& b, const NeckConfig& config, std::size_t level, ValueId x) {
  const std::string prefix = "neck.spatial_modulation.spatial_modulation." + std::to_string(level) + ".";
  std::int64_t channels = config.spatial_in_channels[level];
  for (int step = 0; channels < config.spatial_out_channels; ++step, channels *= 2) {
    x = b.conv_unit({.prefix = prefix + std::to_string(step),
                     .in = channels,
                     .out = 2 * channels,
                     .kernel = {1, 3, 3},
                     .stride = {1, 2, 2}},
                    x);
  }
  return x;
}

/// Grouped (3,1,1) convolution without norm or ReLU, then a max over `scale` frames.
ValueId temporal_modulation(NetworkBuilder& b, const NeckConfig& config, std::size_t level, ValueId x) {
  const std::string prefix = "neck.temporal_modulation_ops." + std::to_string(level);
  x = b.conv_unit({.prefix = prefix + ".conv",
                   .in = config.in_channels.back(),
                   .out = config.out_channels,
                   .kernel = {3, 1, 1},
                   .groups = groups,
                   .norm = false,
                   .relu = false},
                  x);
  return pool(b, {config.temporal_downsample_scales[level], 1, 1}, x, prefix + ".pool");
}

/// (3,1,1) convolution without norm or ReLU, and a max pool after (or before) it.
ValueId downsample(NetworkBuilder& b, const NeckConfig& config, std::size_t level, ValueId x) {
  const std::string prefix = "neck.downsample_ops." + std::to_string(level);
  if (config.downsample_before) x = pool(b, *config.downsample_scale, x, prefix + ".pool");
  x = b.conv_unit({.prefix = prefix + ".conv",
                   .in = config.out_channels,
                   .out = config.out_channels,
                   .kernel = {3, 1, 1},
                   .norm = false,
                   .relu = false},
                  x);
  return config.downsample_before ? x : pool(b, *config.downsample_scale, x, prefix + ".pool");
}

/// Per level: pool, grouped 1x1x1 conv unit; concatenate; 1x1x1 conv unit.
ValueId level_fusion(NetworkBuilder& b, const LevelFusionConfig& config, const std::string& name,
                     const std::vector<ValueId>& levels) {
  const std::string prefix = "neck." + name + ".";
  std::vector<ValueId> parts;
  std::int64_t channels = 0;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const std::string part = prefix + "downsamples." + std::to_string(i);
    const ValueId pooled = pool(b, config.downsample_scales[i], levels[i], part + ".pool");
    parts.push_back(b.conv_unit({.prefix = part + ".conv",
                                 .in = config.in_channels[i],
                                 .out = config.mid_channels[i],
                                 .groups = groups},
                                pooled));
    channels += config.mid_channels[i];
  }
  const ValueId joined = b.graph.apply(ops::Concat{}, parts, prefix + "concat");
  return b.conv_unit({.prefix = prefix + "fusion_conv", .in = channels, .out = config.out_channels}, joined);
}

/// Strided conv unit, mean, classifier; reads the second-to-last level before spatial modulation.
void auxiliary_head(NetworkBuilder& b, const AuxHeadConfig& config, ValueId x) {
  const std::int64_t channels = b.graph.value(x).spec.shape[4];
  b.set_training_only(true);
  ValueId y = b.conv_unit({.prefix = "neck.aux_head.conv",
                           .in = channels,
                           .out = 2 * channels,
                           .kernel = {1, 3, 3},
                           .stride = {1, 2, 2}},
                          x);
  y = b.graph.apply(ops::GlobalAvgPool{}, {y}, "neck.aux_head.pool");
  y = b.dropout(auxiliary_dropout, y, "neck.aux_head.dropout");
  b.graph.add_feature("aux_logits", b.linear("neck.aux_head.fc", 2 * channels, config.out_channels, y));
  b.set_training_only(false);
}

}  // namespace

ValueId build_pyramid(NetworkBuilder& b, const NeckConfig& config, const std::vector<ValueId>& levels,
                      bool auxiliary) {
  const std::size_t count = levels.size();
  std::vector<ValueId> spatial, modulated;
  for (std::size_t i = 0; i < count; ++i) spatial.push_back(spatial_modulation(b, config, i, levels[i]));
  name_levels(b, "spatial_modulation", spatial);
  for (std::size_t i = 0; i < count; ++i) modulated.push_back(temporal_modulation(b, config, i, spatial[i]));
  name_levels(b, "temporal_modulation", modulated);

  std::vector<ValueId> top_down = modulated;
  if (config.upsample_scale) {
    for (std::size_t i = count - 1; i > 0; --i) {
      const std::string name = "neck.top_down." + std::to_string(i - 1);
      ValueId above = top_down[i];
      if (*config.upsample_scale != ops::Extent3{1, 1, 1}) {
        above = b.graph.apply(ops::Upsample{*config.upsample_scale}, {above}, name + ".upsample");
      }
      top_down[i - 1] = b.graph.apply(ops::Add{}, {top_down[i - 1], above}, name);
    }
  }
  name_levels(b, "top_down", top_down);

  std::vector<ValueId> bottom_up = config.flow_type == FlowType::parallel ? modulated : top_down;
  if (config.downsample_scale) {
    for (std::size_t i = 0; i + 1 < count; ++i) {
      const ValueId below = downsample(b, config, i, bottom_up[i]);
      bottom_up[i + 1] =
          b.graph.apply(ops::Add{}, {bottom_up[i + 1], below}, "neck.bottom_up." + std::to_string(i + 1));
    }
  }
  name_levels(b, "bottom_up", bottom_up);

  const ValueId fused_down = level_fusion(b, config.level_fusion, "level_fusion_1", top_down);
  const ValueId fused_up = level_fusion(b, config.level_fusion, "level_fusion_2", bottom_up);
  b.graph.add_feature("level_fusion_1", fused_down);
  b.graph.add_feature("level_fusion_2", fused_up);
  const ValueId joined = b.graph.apply(ops::Concat{}, {fused_down, fused_up}, "neck.concat");
  const ValueId neck = b.conv_unit({.prefix = "neck.pyramid_fusion",
                                    .in = std::int64_t{2} * config.level_fusion.out_channels,
                                    .out = config.pyramid_channels},
                                   joined);
  b.graph.add_feature("neck", neck);
  if (auxiliary && config.aux_head) auxiliary_head(b, *config.aux_head, levels[count - 2]);
  return neck;
}

}  // namespace tpn
