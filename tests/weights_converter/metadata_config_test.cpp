#include "weights_converter/metadata_config.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/support/checkpoint_builder.h"
#include "weights_converter/python_config.h"

namespace tpn {
namespace {

// Every value differs from the one that the configuration has before.
constexpr const char* model_text = R"(
model = dict(
    type='Recognizer3D',
    backbone=dict(type='ResNetTSM', depth=50, num_segments=16, shift_div=4),
    neck=dict(
        type='TPN',
        temporal_modulation_cfg=dict(downsample_scales=(4, 2)),
        upsample_cfg=dict(scale_factor=(1, 2, 2)),
        downsample_cfg=dict(downsample_scale=(1, 2, 4), downsample_position='before'),
        level_fusion_cfg=dict(downsample_scales=((1, 2, 1), (1, 1, 2))),
        aux_head_cfg=dict(out_channels=174, loss_weight=0.25),
        flow_type='parallel'),
    cls_head=dict(type='TPNHead', dropout_ratio=0.75, average_clips='score'),
    data_preprocessor=dict(mean=[1.5, 2.5, 3.5], std=[4.5, 5.5, 6.5]),
    test_cfg=dict(fcn_test=False))
)";

constexpr const char* pipeline_steps = R"([
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=5, frame_interval=3, num_clips=7, twice_sample=True, test_mode=True),
    dict(type='Resize', scale=(-1, 300)),
    dict(type='CenterCrop', crop_size=224),
])";

/// What the text makes of a configuration.
Config applied(Config config, const std::string& text, bool expect_scales) {
  EXPECT_EQ(apply_assignments(parse_python_config(text), config), expect_scales);
  return config;
}

void expect_sampling(const SamplingConfig& sampling) {
  EXPECT_EQ(sampling.clip_len, 5);
  EXPECT_EQ(sampling.frame_interval, 3);
  EXPECT_EQ(sampling.num_clips, 7);
  EXPECT_TRUE(sampling.twice_sample);
  EXPECT_EQ(sampling.short_side, 300);
  EXPECT_EQ(sampling.crops, 1);
  EXPECT_EQ(sampling.crop_size, 224);
}

TEST(MetadataConfig, TakesEveryFieldOfTheText) {
  const Config before = builtin_config("tpn-slowonly-r50-8x8");
  const Config config =
      applied(before, std::string(model_text) + "test_pipeline = " + pipeline_steps + "\n", true);
  const NeckConfig& neck = config.neck;
  EXPECT_EQ(neck.temporal_downsample_scales, (std::vector<int>{4, 2}));
  EXPECT_EQ(neck.upsample_scale, (ops::Extent3{1, 2, 2}));
  EXPECT_EQ(neck.downsample_scale, (ops::Extent3{1, 2, 4}));
  EXPECT_TRUE(neck.downsample_before);
  EXPECT_EQ(neck.level_fusion.downsample_scales, (std::vector<ops::Extent3>{{1, 2, 1}, {1, 1, 2}}));
  ASSERT_TRUE(neck.aux_head.has_value());
  EXPECT_EQ(neck.aux_head->loss_weight, 0.25);
  EXPECT_EQ(neck.flow_type, FlowType::parallel);
  EXPECT_EQ(config.head.dropout_ratio, 0.75);
  EXPECT_EQ(config.head.average_clips, "score");
  EXPECT_FALSE(config.fcn_test);
  expect_sampling(config.sampling);
  EXPECT_EQ(config.sampling.mean, (std::array<double, 3>{1.5, 2.5, 3.5}));
  EXPECT_EQ(config.sampling.std, (std::array<double, 3>{4.5, 5.5, 6.5}));

  // None of them is so without the text.
  EXPECT_NE(before.neck.temporal_downsample_scales, neck.temporal_downsample_scales);
  EXPECT_NE(before.neck.upsample_scale, neck.upsample_scale);
  EXPECT_NE(before.neck.downsample_scale, neck.downsample_scale);
  EXPECT_FALSE(before.neck.downsample_before);
  EXPECT_NE(before.neck.level_fusion.downsample_scales, neck.level_fusion.downsample_scales);
  EXPECT_NE(before.neck.aux_head->loss_weight, neck.aux_head->loss_weight);
  EXPECT_NE(before.neck.flow_type, neck.flow_type);
  EXPECT_NE(before.head, config.head);
  EXPECT_TRUE(before.fcn_test);
  EXPECT_EQ(config.backbone, before.backbone) << "segments and shifts belong to TSM";
}

TEST(MetadataConfig, TakesSegmentsAndShifts) {
  const Config before = builtin_config("tpn-tsm-r50-1x1x8");
  const Config config = applied(before, model_text, true);
  EXPECT_EQ(config.backbone.num_segments, 16);
  EXPECT_EQ(config.backbone.shift_div, 4);
  EXPECT_NE(before.backbone.num_segments, 16);
  EXPECT_NE(before.backbone.shift_div, 4);
}

TEST(MetadataConfig, TakesThePipelineOfTheLoader) {
  const std::string loader =
      std::string("test_dataloader = dict(dataset=dict(pipeline=") + pipeline_steps + "))\n";
  expect_sampling(applied(builtin_config("tpn-slowonly-r50-8x8"), loader, false).sampling);
}

TEST(MetadataConfig, ThreeCropsAndOtherFlows) {
  Config config = builtin_config("tpn-tsm-r50-1x1x8");
  config.neck.flow_type = FlowType::parallel;
  config.sampling.crops = 1;
  config.head.average_clips = "score";
  config = applied(config,
                   "model = dict(neck=dict(flow_type='cascade'), cls_head=dict(average_clips='prob'))\n"
                   "test_pipeline = [dict(type='ThreeCrop', crop_size=192)]\n",
                   false);
  EXPECT_EQ(config.neck.flow_type, FlowType::cascade);
  EXPECT_EQ(config.head.average_clips, "prob");
  EXPECT_EQ(config.sampling.crops, 3);
  EXPECT_EQ(config.sampling.crop_size, 192);
}

TEST(MetadataConfig, WhatIsOfAnotherFormChangesNothing) {
  const Config before = builtin_config("tpn-slowonly-r50-8x8");
  const std::string text = R"(
model = dict(
    neck=dict(temporal_modulation_cfg=dict(downsample_scales='all'), upsample_cfg=dict(scale_factor=(1, 2)),
              downsample_cfg=dict(downsample_scale=(1, 2.5, 2), downsample_position='after'),
              level_fusion_cfg=dict(downsample_scales=((1, 1, 1), )), flow_type='sideways'),
    cls_head=dict(dropout_ratio='half', average_clips=None), test_cfg=dict(fcn_test=1),
    data_preprocessor=dict(mean=[1, 2], std='none'))
test_pipeline = [dict(type='Resize', scale=(256, -1)), dict(type='Resize', scale=224), 7]
)";
  EXPECT_EQ(applied(before, text, false), before);
}

TEST(MetadataConfig, TellsTheDataSetThatIsNamed) {
  const auto data_set = [](const std::string& cfg) {
    const std::string square = test::tensor(test::storage("FloatStorage", "0", 1), 0, {1}, {1});
    const std::string file =
        test::checkpoint(test::dictionary({{"meta", test::dictionary({{"cfg", test::text(cfg)}})},
                                           {"state_dict", test::dictionary({{"w", square}})}}),
                         {{"0", std::string(4, '\0')}});
    const auto checkpoint = Checkpoint::parse(test::as_bytes(file)).value_or_throw();
    return read_metadata_config(checkpoint).data_set;
  };
  EXPECT_EQ(data_set("data_root = 'data/sthv2/rawframes'\n"), "sthv2");
  EXPECT_EQ(data_set("data_root = 'data/sthv1/rawframes'\n"), "sthv1");
  EXPECT_EQ(data_set("a = 'sthv1'\nb = 'sthv2'\n"), "");
  EXPECT_EQ(data_set("data_root = 'data/kinetics400'\n"), "");
}

}  // namespace
}  // namespace tpn
