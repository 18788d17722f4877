#include "engine/video/sampling.h"

#include <algorithm>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tests/support/golden.h"

namespace tpn {
namespace {

std::vector<std::filesystem::path> directories() {
  return test::golden_directories(TPN_TEST_DATA "/transforms", "TPN_TRANSFORM_DIRS");
}

ClipSampling sampling_of(const nlohmann::json& entry) {
  ClipSampling sampling;
  sampling.clip_len = entry.at("clip_len");
  sampling.frame_interval = entry.at("frame_interval");
  sampling.num_clips = entry.at("num_clips");
  return sampling;
}

/// Tells the first number that differs.
testing::AssertionResult same_frames(const std::vector<std::int64_t>& frames,
                                     const std::vector<std::int64_t>& expected) {
  if (frames == expected) return testing::AssertionSuccess();
  const auto [frame, other] = std::mismatch(frames.begin(), frames.end(), expected.begin(), expected.end());
  const auto text = [](auto at, auto end) { return at == end ? "nothing" : std::to_string(*at); };
  return testing::AssertionFailure() << "entry " << frame - frames.begin() << " is "
                                     << text(frame, frames.end()) << ", expected is "
                                     << text(other, expected.end());
}

TEST(Sampling, TestProtocolEqualsTheGoldens) {
  for (const auto& directory : directories()) {
    const test::Golden golden = test::Golden::load(directory, "sample_frames");
    const auto& cases = golden.record().at("test");
    ASSERT_FALSE(cases.empty());
    for (const auto& entry : cases) {
      ClipSampling sampling = sampling_of(entry);
      sampling.twice_sample = entry.at("twice_sample");
      sampling.out_of_bound = entry.at("out_of_bound") == "loop" ? OutOfBound::loop : OutOfBound::repeat_last;
      sampling.start_index = entry.at("start_index");
      EXPECT_TRUE(same_frames(sample_test_frames(entry.at("total_frames"), sampling),
                              entry.at("frame_inds").get<std::vector<std::int64_t>>()))
          << directory << " " << entry.at("total_frames") << " frames, clip_len " << sampling.clip_len
          << ", num_clips " << sampling.num_clips;
    }
  }
}

TEST(Sampling, TrainRangesEqualTheGoldens) {
  using Kind = TrainClipRanges::Kind;
  const std::map<std::string, Kind> kinds{
      {"spaced", Kind::spaced}, {"sorted", Kind::sorted}, {"fixed", Kind::fixed}};
  for (const auto& directory : directories()) {
    const test::Golden golden = test::Golden::load(directory, "sample_frames");
    const auto& cases = golden.record().at("train");
    ASSERT_FALSE(cases.empty());
    for (const auto& entry : cases) {
      const TrainClipRanges ranges = train_clip_ranges(entry.at("total_frames"), sampling_of(entry));
      std::vector<TrainClipRanges::Range> expected;
      for (const auto& range : entry.at("first_frame_ranges")) expected.push_back({range.at(0), range.at(1)});
      EXPECT_EQ(ranges.kind, kinds.at(entry.at("kind"))) << directory << " " << entry;
      EXPECT_EQ(ranges.clips, expected) << directory << " " << entry;
    }
  }
}

TEST(Sampling, RoundsHalfFramesToTheEvenOne) {
  ClipSampling sampling;
  sampling.num_clips = 3;
  const auto firsts = [&](std::int64_t total) {
    const std::vector<std::int64_t> frames = sample_test_frames(total, sampling);
    return std::vector{frames[0], frames[8], frames[16]};
  };
  EXPECT_TRUE(same_frames(firsts(58), {0, 0, 1}));  // 0.5
  EXPECT_TRUE(same_frames(firsts(60), {0, 2, 3}));  // 1.5
}

TEST(Sampling, RefusesWhatCannotBeSampled) {
  EXPECT_THROW(sample_test_frames(0, {}), Error);
  EXPECT_THROW(train_clip_ranges(0, {}), Error);
  ClipSampling sampling;
  sampling.num_clips = 1;
  sampling.twice_sample = true;
  EXPECT_THROW(sample_test_frames(100, sampling), Error);
  sampling.twice_sample = false;
  sampling.frame_interval = 0;
  EXPECT_THROW(sample_test_frames(100, sampling), Error);
}

}  // namespace
}  // namespace tpn
