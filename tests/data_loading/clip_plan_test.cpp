#include "engine/data/clip_plan.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include <gtest/gtest.h>

#include "engine/video/sampling.h"
#include "engine/video/view_plan.h"
#include "tests/support/golden.h"

namespace tpn {
namespace {

/// A configuration with clips of `length` frames.
ClipOptions options_of(int length, int interval, int num_clips = 10) {
  ClipOptions options;
  options.sampling.clip_len = length;
  options.sampling.frame_interval = interval;
  options.sampling.num_clips = num_clips;
  return options;
}

VideoInfo video_of(std::int64_t frames, ImageSize size = {340, 256}) {
  VideoInfo video;
  video.frames = frames;
  video.size = size;
  return video;
}

/// The clip's frames in its order.
std::vector<std::int64_t> frames_of(const ClipPlan& plan) {
  std::vector<std::int64_t> frames;
  for (const std::size_t slot : plan.slots) frames.push_back(plan.frames[slot]);
  return frames;
}

TEST(ClipPlan, CropsEqualTheGoldens) {
  for (const auto& directory : test::golden_directories(TPN_TEST_DATA "/transforms", "TPN_TRANSFORM_DIRS")) {
    const test::Golden golden = test::Golden::load(directory, "geometry");
    const auto& cases = golden.record().at("random_resized_crop");
    ASSERT_FALSE(cases.empty());
    for (const auto& entry : cases) {
      std::vector<CropCandidate> candidates;
      for (std::size_t i = 0; i < entry.at("aspects").size(); ++i) {
        candidates.push_back({entry.at("area_fractions").at(i), entry.at("aspects").at(i)});
      }
      std::vector<std::int64_t> lasts;
      const CropBox box =
          first_fitting_crop({entry.at("width"), entry.at("height")}, candidates, [&](std::int64_t last) {
            lasts.push_back(last);
            return last / 2;
          });
      const auto& expected = entry.at("box_with_middle_offsets");
      EXPECT_EQ((std::vector<int>{box.left, box.top, box.left + box.size.width, box.top + box.size.height}),
                expected.get<std::vector<int>>())
          << entry;
      ASSERT_EQ(lasts.size(), entry.at("offset_ranges").size());
      for (std::size_t i = 0; i < lasts.size(); ++i) {
        EXPECT_EQ(entry.at("offset_ranges").at(i), (std::vector<std::int64_t>{0, lasts[i]}));
      }
    }
  }
}

TEST(ClipPlan, CropsOfTheAugmentationsLeastAreaOrAnother) {
  VideoInfo video;
  video.size = {340, 256};
  video.frames = 80;
  const auto smallest = [&](Augmentation augmentation, std::optional<double> least_area) {
    double share = 1;
    for (std::uint64_t i = 0; i < 500; ++i) {
      const ClipOptions options{.sampling = {}, .augmentation = augmentation, .least_area = least_area};
      const ImageSize box = plan_clip(video, options, Draws(1, 0, i)).box.size;
      share = std::min(share, double(box.width) * box.height / (340.0 * 256));
    }
    return share;
  };
  EXPECT_NEAR(smallest(Augmentation::reference, {}), 0.08, 0.02);
  EXPECT_NEAR(smallest(Augmentation::light, {}), 0.5, 0.02);
  EXPECT_NEAR(smallest(Augmentation::reference, 0.4), 0.4, 0.02);
  EXPECT_NEAR(smallest(Augmentation::light, 0.6), 0.6, 0.02);
}

TEST(ClipPlan, RandomCropsHaveTheirSharesAndAspects) {
  for (const double least : {0.08, 0.5}) {
    double least_seen = 1;
    double most_seen = 0;
    for (std::uint64_t i = 0; i < 2000; ++i) {
      Draws draws(1, 0, i);
      const CropBox box = random_resized_crop({340, 256}, least, draws);
      const double share = double(box.size.width) * box.size.height / (340.0 * 256);
      const double aspect = double(box.size.width) / box.size.height;
      ASSERT_TRUE(box.left >= 0 && box.left + box.size.width <= 340) << i;
      ASSERT_TRUE(box.top >= 0 && box.top + box.size.height <= 256) << i;
      EXPECT_GT(aspect, 0.74);
      EXPECT_LT(aspect, 1.35);
      least_seen = std::min(least_seen, share);
      most_seen = std::max(most_seen, share);
    }
    EXPECT_NEAR(least_seen, least, 0.01);
    EXPECT_GT(most_seen, 0.95);
  }
}

TEST(ClipPlan, TrainingFramesLieInTheirRanges) {
  for (const auto& [length, interval, num_clips] :
       {std::tuple{8, 8, 10}, std::tuple{32, 2, 10}, std::tuple{1, 1, 8}}) {
    const ClipOptions options = options_of(length, interval, num_clips);
    ClipSampling sampling{length, interval, length == 1 ? num_clips : 1};
    for (const std::int64_t total : {1, 5, 8, 9, 63, 64, 65, 300}) {
      const TrainClipRanges ranges = train_clip_ranges(total, sampling);
      std::set<std::int64_t> firsts;
      for (std::uint64_t i = 0; i < 400; ++i) {
        Draws draws(3, 1, i);
        const std::vector<std::int64_t> frames = sample_train_frames(total, options.sampling, draws);
        ASSERT_EQ(std::ssize(frames), options.frames());
        for (std::size_t clip = 0; clip < ranges.clips.size(); ++clip) {
          const auto clip_len = static_cast<std::size_t>(length);
          const std::int64_t first = frames[clip * clip_len];
          const auto [least, most] = ranges.clips[clip];
          if (least >= total) {  // of segments shorter than a frame
            EXPECT_EQ(first, least % total);
          } else {
            EXPECT_TRUE(first >= least && first <= most) << total;
          }
          for (std::size_t j = 0; j < clip_len; ++j) {
            EXPECT_EQ(frames[clip * clip_len + j], (first + static_cast<std::int64_t>(j) * interval) % total);
          }
          if (clip == 0) firsts.insert(first);
        }
        EXPECT_TRUE(ranges.kind != TrainClipRanges::Kind::sorted || std::ranges::is_sorted(frames));
      }
      if (ranges.kind != TrainClipRanges::Kind::spaced || ranges.clips[0].last > 60) continue;
      EXPECT_EQ(*firsts.begin(), ranges.clips[0].first);
      EXPECT_EQ(*firsts.rbegin(), ranges.clips[0].last);
    }
  }
}

TEST(ClipPlan, WithoutAugmentationIsTheMiddleOfTheTestProtocol) {
  for (const auto& [length, interval, num_clips] : {std::tuple{8, 8, 10}, std::tuple{1, 1, 8}}) {
    ClipOptions options = options_of(length, interval, num_clips);
    options.augmentation = Augmentation::none;
    options.sampling.twice_sample = length == 1;
    const ClipPlan plan = plan_clip(video_of(100), options, Draws(1, 0, 0));
    ClipSampling sampling{length, interval, length == 1 ? num_clips : 1};
    EXPECT_EQ(frames_of(plan), sample_test_frames(100, sampling));
    EXPECT_EQ(plan.box, (CropBox{0, 0, {340, 256}}));
    EXPECT_EQ(plan.resized, (ImageSize{340, 256}));
    EXPECT_EQ(plan.crop, (CropOffset{58, 16}));
    EXPECT_FALSE(plan.flip);
    EXPECT_FALSE(plan.jitter.has_value());
  }
}

TEST(ClipPlan, AugmentationsDifferInWhatTheyDraw) {
  ClipOptions options = options_of(8, 8);
  int flips = 0;
  for (std::uint64_t i = 0; i < 400; ++i) {
    const ClipPlan plan = plan_clip(video_of(100), options, Draws(1, 0, i));
    flips += plan.flip ? 1 : 0;
    ASSERT_TRUE(plan.jitter.has_value());
    for (const double factor : {plan.jitter->brightness, plan.jitter->contrast, plan.jitter->saturation}) {
      EXPECT_TRUE(factor >= 0.5 && factor < 1.5);
    }
    EXPECT_LE(std::abs(plan.jitter->hue), 0.1);
    EXPECT_EQ(plan.jitter->order, jitter_order(0));
    EXPECT_EQ(plan.resized, (ImageSize{224, 224}));
    EXPECT_EQ(plan.crop, CropOffset{});
  }
  EXPECT_NEAR(flips, 200, 60);
  options.flip = false;
  options.augmentation = Augmentation::light;
  for (std::uint64_t i = 0; i < 50; ++i) {
    const ClipPlan plan = plan_clip(video_of(100), options, Draws(1, 0, i));
    EXPECT_FALSE(plan.flip);
    EXPECT_FALSE(plan.jitter.has_value());
    EXPECT_GE(plan.box.size.width * plan.box.size.height, 340 * 256 / 2 - 340);
  }
}

TEST(ClipPlan, ColoursAreChangedInAnOrderOfTheRun) {
  std::set<std::array<JitterStep, 4>> orders;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    std::array<JitterStep, 4> order = jitter_order(seed);
    orders.insert(order);
    std::ranges::sort(order);
    EXPECT_EQ(order, ColorJitter{}.order);
  }
  EXPECT_EQ(orders.size(), 24U);
}

TEST(ClipPlan, RefusesVideosWithoutFrames) {
  EXPECT_THROW(plan_clip(video_of(0), options_of(8, 8), Draws(1, 0, 0)), Error);
}

}  // namespace
}  // namespace tpn
