// The nine configurations of the paper's model zoo (mmaction2 configs/recognition/tpn, TPN paper tables 1 to
// 4).
#include <algorithm>
#include <array>

#include "engine/model/config.h"
#include "kernels/error.h"

namespace tpn {
namespace {

constexpr ops::Extent3 one{1, 1, 1};
constexpr ops::Extent3 two{2, 1, 1};
constexpr ops::Extent3 four{4, 1, 1};

/// What distinguishes the configurations from one another.
struct Variant {
  const char* name;
  int dims;
  int depth;
  int clip_len;
  int frame_interval;
  std::vector<int> temporal_scales;  // one per level
  ops::Extent3 downsample_scale;
  std::vector<ops::Extent3> fusion_scales;
  FlowType flow_type = FlowType::cascade;
};

const std::vector<Variant>& variants() {
  static const std::vector<Variant> all = {
      {"tpn-slowonly-r50-8x8", 3, 50, 8, 8, {8, 8}, one, {one, one}},
      {"tpn-slowonly-r50-16x4", 3, 50, 16, 4, {16, 16}, one, {one, one}},
      {"tpn-slowonly-r50-32x2", 3, 50, 32, 2, {32, 32}, one, {one, one}},
      {"tpn-slowonly-r101-8x8", 3, 101, 8, 8, {4, 8}, two, {two, one}},
      {"tpn-slowonly-r101-16x4", 3, 101, 16, 4, {8, 16}, two, {two, one}},
      {"tpn-slowonly-r101-32x2", 3, 101, 32, 2, {16, 32}, two, {two, one}},
      {"tpn-slowonly-r50-8x8-3level", 3, 50, 8, 8, {2, 4, 8}, two, {four, two, one}},
      {"tpn-slowonly-r50-8x8-parallel", 3, 50, 8, 8, {8, 8}, one, {one, one}, FlowType::parallel},
      {"tpn-tsm-r50-1x1x8", 2, 50, 1, 1, {8, 8}, one, {one, one}},
  };
  return all;
}

Config make_config(const Variant& variant) {
  const bool tsm = variant.dims == 2;
  const std::size_t levels = variant.temporal_scales.size();
  Config config;
  config.name = variant.name;

  SamplingConfig& sampling = config.sampling;
  sampling.clip_len = variant.clip_len;
  sampling.frame_interval = variant.frame_interval;
  sampling.num_clips = tsm ? 8 : 10;
  sampling.twice_sample = tsm;
  sampling.input_format = tsm ? "NCHW" : "NCTHW";

  BackboneConfig& backbone = config.backbone;
  backbone.depth = variant.depth;
  backbone.dims = variant.dims;
  if (!tsm) backbone.inflate = {0, 0, 1, 1};
  for (int stage = 4 - static_cast<int>(levels); stage < 4; ++stage) backbone.out_indices.push_back(stage);

  NeckConfig& neck = config.neck;
  for (const int stage : backbone.out_indices)
    neck.in_channels.push_back(backbone.base_channels * 4 << stage);
  neck.spatial_in_channels = neck.in_channels;
  neck.spatial_out_channels = neck.in_channels.back();
  neck.temporal_downsample_scales = variant.temporal_scales;
  neck.upsample_scale = levels == 3 ? two : one;
  neck.downsample_scale = variant.downsample_scale;
  neck.level_fusion.in_channels.assign(levels, neck.out_channels);
  neck.level_fusion.mid_channels.assign(levels, 1024);
  neck.level_fusion.downsample_scales = variant.fusion_scales;
  neck.flow_type = variant.flow_type;

  config.head.num_classes = tsm ? 174 : 400;  // Something-Something V1, Kinetics-400
  neck.aux_head = AuxHeadConfig{config.head.num_classes, 0.5};
  return config;
}

}  // namespace

const std::vector<std::string>& builtin_config_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const Variant& variant : variants()) list.emplace_back(variant.name);
    return list;
  }();
  return names;
}

Config builtin_config(std::string_view name) {
  for (const Variant& variant : variants()) {
    if (name == variant.name) return make_config(variant);
  }
  std::string known;
  for (const std::string& each : builtin_config_names()) known += (known.empty() ? "" : ", ") + each;
  throw Error("There is no built-in configuration \"" + std::string(name) + "\"; there are " + known +
              ", and files whose names end in .json.");
}

}  // namespace tpn
