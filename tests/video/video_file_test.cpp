// Every kind of file: are the frames the right ones, in the right order, and upright?
#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "engine/video/orientation.h"
#include "engine/video/video_source.h"
#include "kernels/error.h"
#include "tests/support/images.h"
#include "tests/video/numbered_frames.h"

namespace tpn {
namespace {

using test::counting;
using test::shown_numbers;
using test::video_fixture;

struct Fixture {
  std::string name;
  std::string codec;
  ImageSize size;
  int first;  ///< number that frame 0 shows
  int count;
};

void PrintTo(const Fixture& fixture, std::ostream* out) {
  *out << fixture.name;
}

class VideoFileFrames : public testing::TestWithParam<Fixture> {};

TEST_P(VideoFileFrames, AreCountedAndNumberedInPresentationOrder) {
  const Fixture& fixture = GetParam();
  const auto source = open_video(video_fixture(fixture.name));
  EXPECT_EQ(source->info().frames, fixture.count);
  EXPECT_EQ(source->info().size, fixture.size);
  EXPECT_EQ(source->info().codec, fixture.codec);
  EXPECT_EQ(shown_numbers(*source), counting(fixture.first, fixture.count));
}

TEST_P(VideoFileFrames, SelectedOnesAreThoseOfTheWholeVideo) {
  const Fixture& fixture = GetParam();
  DecodeOptions options;
  options.threads = 3;
  const auto source = open_video(video_fixture(fixture.name), options);
  const std::vector<std::int64_t> indices{1, 2, 5, fixture.count - 2};
  std::vector<int> numbers;
  const DecodeReport report = source->read(indices, [&](std::size_t position, const ImageView& picture) {
    EXPECT_EQ(position, numbers.size());
    numbers.push_back(test::shown_number(picture, fixture.size));
  });
  EXPECT_EQ(numbers, (std::vector<int>{fixture.first + 1, fixture.first + 2, fixture.first + 5,
                                       fixture.first + fixture.count - 2}));
  EXPECT_EQ(report.frames, fixture.count);
  EXPECT_EQ(report.damaged_packets, 0);
  EXPECT_EQ(report.warnings, std::vector<std::string>{});
}

INSTANTIATE_TEST_SUITE_P(All, VideoFileFrames,
                         testing::Values(Fixture{"h264_bframes.mp4", "h264", {64, 48}, 0, 48},
                                         Fixture{"h264_bframes.ts", "h264", {64, 48}, 0, 48},  //
                                         Fixture{"raw.h264", "h264", {64, 48}, 0, 48},         //
                                         Fixture{"open_gop.mp4", "hevc", {64, 48}, 0, 48},
                                         Fixture{"mpeg4_packed.avi", "mpeg4", {64, 48}, 0, 32},
                                         Fixture{"raw.m4v", "mpeg4", {64, 48}, 0, 40},  //
                                         Fixture{"vp9_altref.webm", "vp9", {64, 48}, 0, 40},
                                         Fixture{"vp8_altref.webm", "vp8", {64, 48}, 0, 40},
                                         Fixture{"mjpeg.avi", "mjpeg", {64, 48}, 0, 12},  //
                                         Fixture{"vfr.mkv", "h264", {64, 48}, 0, 30},
                                         Fixture{"edit_list.mp4", "h264", {64, 48}, 10, 38},
                                         Fixture{"negative_start.mp4", "h264", {64, 48}, 25, 23},
                                         Fixture{"odd.avi", "mpeg4", {37, 29}, 0, 16},
                                         Fixture{"anamorphic.mp4", "h264", {64, 48}, 0, 16},
                                         Fixture{"interlaced.mp4", "h264", {64, 48}, 0, 16},
                                         Fixture{"ten_bit.mp4", "h264", {64, 48}, 0, 12},
                                         Fixture{"yuv444.mp4", "h264", {64, 48}, 0, 12},
                                         Fixture{"gray.mp4", "h264", {64, 48}, 0, 12},
                                         Fixture{"full_range.mp4", "h264", {64, 48}, 0, 12},
                                         Fixture{"claims_more.avi", "mjpeg", {64, 48}, 0, 12},
                                         Fixture{"claims_less.avi", "mjpeg", {64, 48}, 0, 12}),
                         [](const auto& instance) {
                           std::string name = instance.param.name;
                           std::replace_if(
                               name.begin(), name.end(), [](char c) { return std::isalnum(c) == 0; }, '_');
                           return name;
                         });

TEST(VideoFile, TellsRateAndDuration) {
  const auto source = open_video(video_fixture("h264_bframes.mp4"));
  EXPECT_DOUBLE_EQ(source->info().frames_per_second, 25);
  EXPECT_NEAR(source->info().seconds, 1.92, 0.001);
}

TEST(VideoFile, TurnsPicturesAsTheMetadataSays) {
  const auto quarter = open_video(video_fixture("rotate90.mp4"));
  EXPECT_EQ(quarter->info().size, (ImageSize{48, 64}));
  const auto counterclockwise = [](int u, int v, ImageSize size) { return std::pair{v, size.width - 1 - u}; };
  EXPECT_EQ(shown_numbers(*quarter, counterclockwise, true), counting(0, 13));

  const auto half = open_video(video_fixture("rotate180.mp4"));
  EXPECT_EQ(half->info().size, (ImageSize{64, 48}));
  const auto around = [](int u, int v, ImageSize size) {
    return std::pair{size.width - 1 - u, size.height - 1 - v};
  };
  EXPECT_EQ(shown_numbers(*half, around), counting(0, 13));

  const auto three_quarters = open_video(video_fixture("rotate270.mp4"));
  const auto clockwise = [](int u, int v, ImageSize size) { return std::pair{size.height - 1 - v, u}; };
  EXPECT_EQ(shown_numbers(*three_quarters, clockwise, true), counting(0, 13));
}

TEST(VideoFile, LeavesOtherAnglesAloneAndSaysSo) {
  const auto source = open_video(video_fixture("rotate30.mp4"));
  EXPECT_EQ(shown_numbers(*source), counting(0, 13));
  const std::vector<std::int64_t> indices{0};
  const DecodeReport report = source->read(indices, [](std::size_t, const ImageView&) {});
  ASSERT_EQ(report.warnings.size(), 1U);
  EXPECT_NE(report.warnings[0].find("rotate30.mp4"), std::string::npos);
}

TEST(DisplayMatrix, KnowsAllEightOrientations) {
  constexpr std::int32_t one = 1 << 16;
  const auto parse = [](std::int32_t a, std::int32_t b, std::int32_t c, std::int32_t d) {
    const std::array<std::int32_t, 9> matrix{a, b, 0, c, d, 0, 0, 0, 1 << 30};
    return parse_display_matrix(matrix.data());
  };
  // A point (u, v) is shown at (a u + c v, b u + d v), up to a shift.
  const auto expect = [&](std::int32_t a, std::int32_t b, std::int32_t c, std::int32_t d,
                          Orientation orientation) {
    const DisplayMatrix matrix = parse(a * one, b * one, c * one, d * one);
    EXPECT_EQ(matrix.orientation, orientation) << a << " " << b << " " << c << " " << d;
    EXPECT_FALSE(matrix.unsupported_angle);
  };
  expect(1, 0, 0, 1, {false, false, false});
  expect(-1, 0, 0, 1, {false, true, false});
  expect(1, 0, 0, -1, {false, false, true});
  expect(-1, 0, 0, -1, {false, true, true});
  expect(0, 1, 1, 0, {true, false, false});
  expect(0, 1, -1, 0, {true, true, false});
  expect(0, -1, 1, 0, {true, false, true});
  expect(0, -1, -1, 0, {true, true, true});
  EXPECT_TRUE(parse(one, one, -one, one).unsupported_angle);
  EXPECT_FALSE(parse(0, 0, 0, 0).unsupported_angle);
}

TEST(VideoFile, ScalesWhatComesLaterInAnotherSize) {
  const auto source = open_video(video_fixture("resized.h264"));
  EXPECT_EQ(source->info().size, (ImageSize{64, 48}));
  std::vector<int> expected = counting(0, 48);
  const std::vector<int> second = counting(0, 12);
  expected.insert(expected.end(), second.begin(), second.end());
  EXPECT_EQ(shown_numbers(*source), expected);
  const std::vector<std::int64_t> indices{3, 50};
  const DecodeReport report = source->read(indices, [](std::size_t, const ImageView&) {});
  EXPECT_EQ(report.warnings.size(), 1U);
}

class VideoFileColors : public testing::TestWithParam<const char*> {};

/// Largest difference of the first frame to the .rgb file beside the clip.
int color_error(const std::string& name, const DecodeOptions& options) {
  std::ifstream file(video_fixture(name + ".rgb"), std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  const auto source = open_video(video_fixture(name), options);
  const std::vector<std::int64_t> indices{0};
  int error = 0;
  source->read(indices, [&](std::size_t, const ImageView& picture) {
    ASSERT_EQ(bytes.size(), std::size_t{3} * picture.size.width * picture.size.height);
    for (int y = 0; y < picture.size.height; ++y) {
      for (int i = 0; i < 3 * picture.size.width; ++i) {
        const auto expected =
            static_cast<unsigned char>(bytes[static_cast<std::size_t>(3 * y * picture.size.width + i)]);
        error = std::max(error, std::abs(int{picture.row(y)[i]} - expected));
      }
    }
  });
  return error;
}

// swscale has different code for different processors, with different rounding.
constexpr int rounding = 3;

TEST_P(VideoFileColors, AreThoseOfTheFfmpegCommand) {
  EXPECT_LE(color_error(GetParam(), {}), rounding);
}

INSTANTIATE_TEST_SUITE_P(All, VideoFileColors, testing::Values("bt709.mp4", "odd_colors.avi", "rotate90.mp4"),
                         [](const auto& instance) {
                           const std::string name = instance.param;
                           return name.substr(0, name.find('.'));
                         });

TEST(VideoFile, AccurateColorInterpolatesChroma) {
  DecodeOptions options;
  options.accurate_color = true;
  EXPECT_LE(color_error("rotate90.mp4", options), rounding);  // grey: nothing to interpolate
  EXPECT_GT(color_error("bt709.mp4", options), rounding);
}

TEST(VideoFile, CountsRealClipsAsFfprobeDoes) {
  const std::filesystem::path data = TPN_SHARED_DATA "/data";
  if (!std::filesystem::exists(data)) GTEST_SKIP() << "No real clips at " << data << ".";
  for (const auto& [name, frames] : {std::pair{"arm_wrestling_10s.mp4", 280},
                                     std::pair{"structure_10s.mp4", 300}, std::pair{"mpeg4_6s.avi", 164}}) {
    const auto source = open_video((data / name).string());
    EXPECT_EQ(source->info().frames, frames) << name;
    const std::vector<std::int64_t> last{frames - 1};
    const DecodeReport report = source->read(last, [](std::size_t, const ImageView&) {});
    EXPECT_EQ(report.frames, frames) << name;
    EXPECT_TRUE(report.warnings.empty()) << name;
  }
}

}  // namespace
}  // namespace tpn
