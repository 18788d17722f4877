#include "engine/video/geometry.h"

#include <gtest/gtest.h>

#include "engine/video/view_plan.h"
#include "kernels/error.h"
#include "tests/support/golden.h"

namespace tpn {
namespace {

CropOffset offset_of(const nlohmann::json& pair) {
  return {pair.at(0), pair.at(1)};
}

ImageSize size_of(const nlohmann::json& entry) {
  return {entry.at("width"), entry.at("height")};
}

TEST(Geometry, EqualsTheGoldens) {
  for (const auto& directory : test::golden_directories(TPN_TEST_DATA "/transforms", "TPN_TRANSFORM_DIRS")) {
    const test::Golden golden = test::Golden::load(directory, "geometry");
    const auto& sizes = golden.record().at("resize_short_side_256");
    ASSERT_FALSE(sizes.empty());
    for (const auto& entry : sizes) {
      const ImageSize expected{entry.at("out").at(0), entry.at("out").at(1)};
      EXPECT_EQ(short_side_size(size_of(entry), 256), expected) << directory << " " << entry;
    }
    const auto& crops = golden.record().at("crops");
    ASSERT_FALSE(crops.empty());
    for (const auto& entry : crops) {
      std::vector<CropOffset> expected;
      for (const auto& pair : entry.at("three_crop_256")) expected.push_back(offset_of(pair));
      EXPECT_EQ(three_crop_offsets(size_of(entry), 256), expected) << directory << " " << entry;
      EXPECT_EQ(center_crop_offset(size_of(entry), 224), offset_of(entry.at("center_crop_224"))) << directory;
    }
  }
}

TEST(Geometry, RoundsHalfPixelsUp) {
  EXPECT_EQ(short_side_size({681, 512}, 256), (ImageSize{341, 256}));  // 340.5
  EXPECT_EQ(short_side_size({512, 683}, 256), (ImageSize{256, 342}));  // 341.5
}

TEST(Geometry, RefusesCropsThatDoNotFit) {
  EXPECT_THROW(three_crop_offsets({300, 200}, 256), Error);
  EXPECT_THROW(three_crop_offsets({300, 280}, 256), Error);
  EXPECT_THROW(center_crop_offset({300, 200}, 224), Error);
  EXPECT_THROW(short_side_size({0, 5}, 256), Error);
  EXPECT_THROW(short_side_size({1, 1 << 30}, 256), Error);
}

TEST(ViewCounts, AreParsedStrictly) {
  EXPECT_EQ(parse_view_counts("10x3"), (ViewCounts{10, 3}));
  for (const char* text : {"", "x", "10", "10x", "x3", "0x3", "10x-1", "10x3 ", "10X3", "99999999999x1"}) {
    EXPECT_THROW(parse_view_counts(text), Error) << text;
  }
}

TEST(ViewPlan, FollowsTheProtocolOfClips) {
  const ViewPlan plan = plan_views(300, {340, 256}, SamplingConfig{});
  EXPECT_EQ(plan.views(), 30);
  EXPECT_EQ(plan.view_frames, 8);
  EXPECT_EQ(plan.resized, (ImageSize{340, 256}));
  EXPECT_EQ(plan.crops, (std::vector<CropOffset>{{0, 0}, {84, 0}, {42, 0}}));
  EXPECT_EQ(plan.clip_of(17), 7);
  EXPECT_EQ(plan.crop_of(17), (CropOffset{84, 0}));
  EXPECT_EQ(plan.frame_indices[8], 27);  // slack 243 in nine steps
  for (std::size_t i = 0; i < plan.slots.size(); ++i) {
    EXPECT_EQ(plan.selected[plan.slots[i]], plan.frame_indices[i]);
  }
}

TEST(ViewPlan, TakesOneSampleOrTwoFromSegments) {
  SamplingConfig tsm;
  tsm.clip_len = 1;
  tsm.frame_interval = 1;
  tsm.num_clips = 8;
  tsm.twice_sample = true;
  const ViewPlan plan = plan_views(80, {320, 240}, tsm);
  EXPECT_EQ(plan.views(), 6);
  EXPECT_EQ(plan.view_frames, 8);
  EXPECT_EQ(plan.frame_indices, (std::vector<std::int64_t>{5, 15, 25, 35, 45, 55, 65, 75,  //
                                                           0, 10, 20, 30, 40, 50, 60, 70}));
  EXPECT_EQ(plan_views(80, {320, 240}, tsm, ViewCounts{1, 1}).views(), 1);
  tsm.twice_sample = false;
  EXPECT_EQ(plan_views(80, {320, 240}, tsm).views(), 3);
  EXPECT_EQ(plan_views(80, {320, 240}, tsm, ViewCounts{2, 1}).frame_indices, plan.frame_indices);
  EXPECT_THROW(plan_views(80, {320, 240}, tsm, ViewCounts{3, 1}), Error);
}

TEST(ViewPlan, CountsReplaceTheSecondSampleOfClips) {
  SamplingConfig twice;
  twice.twice_sample = true;
  EXPECT_EQ(plan_views(300, {340, 256}, twice).clips, 20);
  const ViewPlan plan = plan_views(300, {340, 256}, twice, ViewCounts{4, 1});
  EXPECT_EQ(plan.clips, 4);
  EXPECT_EQ(plan.frame_indices.back(), 299);
}

TEST(ViewPlan, QuickLookTakesTheMiddle) {
  const ViewPlan plan = plan_views(300, {340, 256}, SamplingConfig{}, ViewCounts{1, 1});
  EXPECT_EQ(plan.views(), 1);
  EXPECT_EQ(plan.frame_indices.front(), 121);
  EXPECT_EQ(plan.crops, (std::vector<CropOffset>{{42, 0}}));
}

TEST(ViewPlan, RefusesUnusableRequests) {
  EXPECT_THROW(plan_views(300, {340, 256}, SamplingConfig{}, ViewCounts{1, 2}), Error);
  EXPECT_THROW(plan_views(0, {340, 256}, SamplingConfig{}), Error);
  EXPECT_THROW(plan_views(300, {2, 4000}, SamplingConfig{}), Error);
}

}  // namespace
}  // namespace tpn
