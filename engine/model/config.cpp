// What makes a configuration one that can be built.
#include "engine/model/config.h"

#include <algorithm>
#include <cmath>

#include "kernels/error.h"

namespace tpn {
namespace {

// Bounds on single numbers. They admit several times what any published model uses and keep a configuration
// from an unknown source from asking for absurd amounts of memory.
constexpr int max_base_channels = 256;
constexpr int max_channels = 16384;
constexpr int max_classes = 100'000;
constexpr int max_frames = 1024;
constexpr int max_pixels = 4096;
constexpr std::size_t max_name_bytes = 256;
constexpr int grouped_channels =
    32;  // groups of the grouped convolutions of temporal modulation and level fusion

std::string text_of(const std::vector<int>& values) {
  std::string text = "[";
  for (const int value : values) text += (text.size() > 1 ? ", " : "") + std::to_string(value);
  return text + "]";
}

[[noreturn]] void fail(const std::string& path, const std::string& expected, const std::string& found) {
  throw Error(path + " must be " + expected + ", but is " + found + ".");
}

void check_range(const std::string& path, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value >= low && value <= high) return;
  fail(path, "from " + std::to_string(low) + " to " + std::to_string(high), std::to_string(value));
}

void check_one_of(const std::string& path, int value, int first, int second) {
  if (value == first || value == second) return;
  fail(path, std::to_string(first) + " or " + std::to_string(second), std::to_string(value));
}

void check_count(const std::string& path, std::size_t count, std::size_t levels) {
  if (count == levels) return;
  fail(path, "a list of " + std::to_string(levels) + " elements, one per level",
       "one of " + std::to_string(count));
}

void check_groups(const std::string& path, int channels) {
  if (channels % grouped_channels == 0) return;
  fail(path, "a multiple of " + std::to_string(grouped_channels) + " (the groups of its convolution)",
       std::to_string(channels));
}

void check_extents(const std::string& path, const ops::Extent3& scale) {
  for (const std::int64_t extent : scale) check_range(path, extent, 1, max_frames);
}

void check_sampling(const SamplingConfig& sampling) {
  check_range("sampling.clip_len", sampling.clip_len, 1, max_frames);
  check_range("sampling.frame_interval", sampling.frame_interval, 1, max_frames);
  check_range("sampling.num_clips", sampling.num_clips, 1, max_frames);
  check_one_of("sampling.crops", sampling.crops, 1, 3);
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string index = '[' + std::to_string(i) + ']';
    if (!std::isfinite(sampling.mean[i]) || std::abs(sampling.mean[i]) > 1000) {
      fail("sampling.mean" + index, "from -1000 to 1000", std::to_string(sampling.mean[i]));
    }
    if (!std::isfinite(sampling.std[i]) || sampling.std[i] < 0.001 || sampling.std[i] > 1000) {
      fail("sampling.std" + index, "from 0.001 to 1000", std::to_string(sampling.std[i]));
    }
  }
  check_range("sampling.short_side", sampling.short_side, 32, max_pixels);
  check_range("sampling.crop_size", sampling.crop_size, 32, sampling.short_side);
}

void check_sampling_fits_backbone(const SamplingConfig& sampling, const BackboneConfig& backbone) {
  const std::string format = backbone.dims == 2 ? "NCHW" : "NCTHW";
  if (sampling.input_format != format) {
    fail("sampling.input_format", format + " for backbone.dims " + std::to_string(backbone.dims),
         sampling.input_format);
  }
  if (backbone.dims == 3) {
    check_range("sampling.clip_len (of a backbone with dims 3)", sampling.clip_len, 2, max_frames);
    return;
  }
  if (sampling.clip_len != 1) fail("sampling.clip_len", "1 for dims 2", std::to_string(sampling.clip_len));
  if (sampling.num_clips != backbone.num_segments) {
    fail("sampling.num_clips", "model.backbone.num_segments (" + std::to_string(backbone.num_segments) + ")",
         std::to_string(sampling.num_clips));
  }
}

void check_backbone(const BackboneConfig& backbone) {
  check_one_of("model.backbone.depth", backbone.depth, 50, 101);
  check_one_of("model.backbone.dims", backbone.dims, 2, 3);
  check_range("model.backbone.base_channels", backbone.base_channels, 1, max_base_channels);
  const std::vector<int>& stages = backbone.out_indices;
  const bool ascending =
      std::adjacent_find(stages.begin(), stages.end(), std::greater_equal<>()) == stages.end();
  if (stages.size() < 2 || !ascending || stages.front() < 0 || stages.back() > 3) {
    fail("model.backbone.out_indices", "at least two stages from 0 to 3, ascending", text_of(stages));
  }
  const BackboneConfig defaults;
  if (backbone.dims == 3) {
    for (const int flag : backbone.inflate) check_range("model.backbone.inflate", flag, 0, 1);
    if (backbone.num_segments != defaults.num_segments || backbone.shift_div != defaults.shift_div ||
        backbone.tsm_position != defaults.tsm_position) {
      throw Error("model.backbone must leave num_segments, shift_div and tsm_position alone when dims is 3.");
    }
    return;
  }
  if (backbone.inflate != defaults.inflate)
    throw Error("model.backbone.inflate must be zeros when dims is 2.");
  check_range("model.backbone.num_segments", backbone.num_segments, 1, max_frames);
  check_range("model.backbone.shift_div", backbone.shift_div, 2, max_channels);
}

void check_level_channels(const NeckConfig& neck, const BackboneConfig& backbone) {
  std::vector<int> channels;
  channels.reserve(backbone.out_indices.size());
  for (const int stage : backbone.out_indices) channels.push_back(backbone.base_channels * 4 << stage);
  const std::string expected = text_of(channels) + ", the channels of the backbone's out_indices";
  if (neck.in_channels != channels) fail("model.neck.in_channels", expected, text_of(neck.in_channels));
  const std::string spatial = "model.neck.spatial_modulation_cfg";
  if (neck.spatial_in_channels != channels) {
    fail(spatial + ".in_channels", expected, text_of(neck.spatial_in_channels));
  }
  if (neck.spatial_out_channels != channels.back()) {
    fail(spatial + ".out_channels", "the top level's " + std::to_string(channels.back()),
         std::to_string(neck.spatial_out_channels));
  }
  check_groups("model.neck.in_channels' last element", channels.back());
}

void check_fusion(const NeckConfig& neck, std::size_t levels) {
  const LevelFusionConfig& fusion = neck.level_fusion;
  const std::string path = "model.neck.level_fusion_cfg";
  check_count(path + ".in_channels", fusion.in_channels.size(), levels);
  check_count(path + ".mid_channels", fusion.mid_channels.size(), levels);
  check_count(path + ".downsample_scales", fusion.downsample_scales.size(), levels);
  for (const int channels : fusion.in_channels) {
    if (channels != neck.out_channels) {
      fail(path + ".in_channels",
           "model.neck.out_channels (" + std::to_string(neck.out_channels) + ") throughout",
           text_of(fusion.in_channels));
    }
  }
  for (const int channels : fusion.mid_channels) {
    check_range(path + ".mid_channels", channels, 1, max_channels);
    check_groups(path + ".mid_channels", channels);
  }
  check_range(path + ".out_channels", fusion.out_channels, 1, max_channels);
  for (const ops::Extent3& scale : fusion.downsample_scales)
    check_extents(path + ".downsample_scales", scale);
}

/// All levels have the same height and width once spatially modulated, so between levels only T may be
/// scaled.
void check_temporal_only(const std::string& path, const std::optional<ops::Extent3>& scale) {
  if (!scale) return;
  check_extents(path, *scale);
  if ((*scale)[1] != 1 || (*scale)[2] != 1) {
    fail(path, "1 in height and width", text_of({scale->begin(), scale->end()}));
  }
}

void check_neck(const NeckConfig& neck, const BackboneConfig& backbone) {
  const std::size_t levels = backbone.out_indices.size();
  check_level_channels(neck, backbone);
  check_range("model.neck.out_channels", neck.out_channels, 1, max_channels);
  check_groups("model.neck.out_channels", neck.out_channels);
  const std::string temporal = "model.neck.temporal_modulation_cfg.downsample_scales";
  check_count(temporal, neck.temporal_downsample_scales.size(), levels);
  for (const int scale : neck.temporal_downsample_scales) check_range(temporal, scale, 1, max_frames);
  check_temporal_only("model.neck.upsample_cfg.scale_factor", neck.upsample_scale);
  check_temporal_only("model.neck.downsample_cfg.downsample_scale", neck.downsample_scale);
  if (neck.downsample_before && !neck.downsample_scale) {
    throw Error("model.neck.downsample_cfg must give downsample_scale when it gives downsample_position.");
  }
  check_fusion(neck, levels);
  check_range("model.neck.pyramid_channels", neck.pyramid_channels, 1, max_channels);
}

std::int64_t pooled(std::int64_t frames, std::int64_t scale) {
  return (frames + scale - 1) / scale;
}

/// The sum of a level and what flows into it from its neighbour: equal T, or one frame that is added to each
/// of them.
void check_addition(const std::string& path, std::int64_t frames, std::int64_t addend) {
  if (addend == frames || addend == 1) return;
  throw Error(path + " brings " + std::to_string(addend) + " frames to a level that has " +
              std::to_string(frames) + "; it must bring as many, or one.");
}

/// Follows T through the neck for a view of the test protocol.
void check_temporal_sizes(const Config& config) {
  const NeckConfig& neck = config.neck;
  std::vector<std::int64_t> frames;  // T of each level after temporal modulation; the flows keep it
  frames.reserve(neck.temporal_downsample_scales.size());
  for (const int scale : neck.temporal_downsample_scales)
    frames.push_back(pooled(config.view_frames(), scale));
  for (std::size_t i = 0; i + 1 < frames.size(); ++i) {
    if (neck.upsample_scale) {
      check_addition("model.neck.upsample_cfg.scale_factor", frames[i],
                     frames[i + 1] * (*neck.upsample_scale)[0]);
    }
    if (neck.downsample_scale) {
      check_addition("model.neck.downsample_cfg.downsample_scale", frames[i + 1],
                     pooled(frames[i], (*neck.downsample_scale)[0]));
    }
  }
  const std::vector<ops::Extent3>& scales = neck.level_fusion.downsample_scales;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const bool same_size = scales[i][1] == scales[0][1] && scales[i][2] == scales[0][2];
    if (!same_size || pooled(frames[i], scales[i][0]) != pooled(frames[0], scales[0][0])) {
      throw Error(
          "model.neck.level_fusion_cfg.downsample_scales must bring every level to the same size, but "
          "level " +
          std::to_string(i) + " differs from level 0.");
    }
  }
}

void check_head(const Config& config) {
  const HeadConfig& head = config.head;
  const std::string path = "model.cls_head";
  check_range(path + ".num_classes", head.num_classes, 1, max_classes);
  if (head.in_channels != config.neck.pyramid_channels) {
    fail(path + ".in_channels",
         "model.neck.pyramid_channels (" + std::to_string(config.neck.pyramid_channels) + ")",
         std::to_string(head.in_channels));
  }
  if (!(head.dropout_ratio >= 0 && head.dropout_ratio < 1)) {
    fail(path + ".dropout_ratio", "from 0 to below 1", std::to_string(head.dropout_ratio));
  }
  if (head.average_clips != "prob" && head.average_clips != "score" && head.average_clips != "none") {
    fail(path + ".average_clips", "prob, score or none", head.average_clips);
  }
  if (!config.neck.aux_head) return;
  const AuxHeadConfig& aux = *config.neck.aux_head;
  check_range("model.neck.aux_head_cfg.out_channels (at least model.cls_head.num_classes)", aux.out_channels,
              head.num_classes, max_classes);
  if (!(aux.loss_weight >= 0 && aux.loss_weight <= 1000)) {
    fail("model.neck.aux_head_cfg.loss_weight", "from 0 to 1000", std::to_string(aux.loss_weight));
  }
}

}  // namespace

void validate(const Config& config) {
  if (config.name.size() > max_name_bytes) {
    fail("name", "at most " + std::to_string(max_name_bytes) + " bytes",
         std::to_string(config.name.size()) + " bytes");
  }
  check_sampling(config.sampling);
  check_backbone(config.backbone);
  check_sampling_fits_backbone(config.sampling, config.backbone);
  check_neck(config.neck, config.backbone);
  check_temporal_sizes(config);
  check_head(config);
}

}  // namespace tpn
