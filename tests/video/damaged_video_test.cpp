// What cannot be read, wholly or in part: always frames or an Error that names the file, never anything on
// the terminal.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include <gtest/gtest.h>

#include "engine/video/clip_loader.h"
#include "engine/video/video_source.h"
#include "kernels/error.h"
#include "tests/support/temporary_directory.h"
#include "tests/video/numbered_frames.h"

namespace tpn {
namespace {

using test::TemporaryDirectory;
using test::video_fixture;

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The message of the Error that opening gives.
std::string refusal(const std::string& path, const DecodeOptions& options = {}) {
  try {
    (void)open_video(path, options);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

testing::AssertionResult mentions(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "'" << text << "' does not mention '" << part << "'";
}

TEST(UnreadableVideo, IsRefusedInASentenceThatNamesTheFile) {
  const TemporaryDirectory folder;
  const std::string empty = folder.write("empty.mp4", "");
  const std::string text = folder.write("text.mp4", "This is no video.\n");
  const std::string noise = folder.write("noise.avi", std::string(5000, '\x5a'));
  const std::string ansi = folder.write("notes.txt", std::string(500, 'x') + "\x1b[31mred\x1b[0m\n");
  const std::string none = (folder.path() / "none.mp4").string();
  for (const auto& [path, reason] :
       {std::pair{empty, "empty"}, std::pair{text, "cannot be opened"}, std::pair{noise, ""},
        std::pair{ansi, "text"}, std::pair{none, "no such file"},
        std::pair{folder.path().string(), "no images"}, std::pair{std::string("/dev/null"), "neither"},
        std::pair{video_fixture("no_moov.mp4"), "cannot be opened"},
        std::pair{video_fixture("audio_only.m4a"), "no video stream"},
        std::pair{video_fixture("cover.m4a"), "no video stream"}}) {
    const std::string message = refusal(path);
    EXPECT_TRUE(mentions(message, path));
    EXPECT_TRUE(mentions(message, reason));
  }
}

TEST(UnreadableVideo, LimitsAreKept) {
  DecodeOptions few_pixels;
  few_pixels.max_pixels = 3071;  // one less than 64x48
  EXPECT_TRUE(mentions(refusal(video_fixture("h264_bframes.mp4"), few_pixels), "exceed"));
  DecodeOptions few_frames;
  few_frames.max_frames = 47;
  EXPECT_TRUE(mentions(refusal(video_fixture("h264_bframes.mp4"), few_frames), "limit of 47"));
  EXPECT_TRUE(mentions(refusal(video_fixture("frames/png"), DecodeOptions{.max_frames = 11}), "limit of 11"));
  EXPECT_TRUE(
      mentions(refusal(video_fixture("h264_bframes.mp4"), DecodeOptions{.max_seconds = 1.5}), "seconds"));
  DecodeOptions just_enough;
  just_enough.max_pixels = 3072;
  just_enough.max_frames = 48;
  EXPECT_EQ(refusal(video_fixture("h264_bframes.mp4"), just_enough), "");
}

TEST(UnreadableVideo, OtherPlacesAreOutOfReach) {
  EXPECT_TRUE(mentions(refusal("http://localhost:1/clip.mp4"), "URL"));
  const TemporaryDirectory folder;
  const std::string target = folder.write("target.ts", bytes_of(video_fixture("h264_bframes.ts")));
  const std::string playlist = folder.write(
      "innocent.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.92,\n" + target + "\n#EXT-X-ENDLIST\n");
  const std::string list = folder.write("list.mp4", "ffconcat version 1.0\nfile target.ts\n");
  EXPECT_NE(refusal(playlist), "");
  EXPECT_NE(refusal(list), "");
  DecodeOptions open;
  open.allow_urls = true;
  EXPECT_EQ(refusal(list, open), "");
}

TEST(DamagedVideo, IsUsedAsFarAsItGoesAndSaysHowMuchIsLost) {
  const SamplingConfig sampling;
  for (const char* name : {"damaged.mp4", "damaged.avi", "truncated.mp4", "truncated.mkv"}) {
    const auto clips = load_clips(video_fixture(name), sampling);
    EXPECT_GT(clips->plan.total_frames, 10) << name;
    EXPECT_LT(clips->plan.total_frames, 40) << name;
    EXPECT_EQ(clips->info.frames, clips->plan.total_frames);
    ASSERT_FALSE(clips->warnings.empty()) << name;
    for (const std::string& warning : clips->warnings) EXPECT_TRUE(mentions(warning, name));
  }
}

TEST(DamagedVideo, DamagedFramesAreCounted) {
  const TemporaryDirectory folder;
  std::string video = bytes_of(video_fixture("raw.m1v"));
  for (std::size_t i = 0; i < 6; ++i) video[video.size() / 2 + i] ^= 0x55;
  const auto clips = load_clips(folder.write("x.m1v", video).string(), SamplingConfig{});
  ASSERT_EQ(clips->warnings.size(), 1U);
  EXPECT_TRUE(
      mentions(clips->warnings[0], "1 frame of 24 is damaged and was used as far as it could be decoded"));
}

TEST(DamagedVideo, ClipsAreDrawnAnewFromWhatThereIs) {
  std::vector<std::shared_ptr<const LoadedClips>> planned;
  ClipEvents events;
  events.planned = [&](const auto& clips) { planned.push_back(clips); };
  const auto clips = load_clips(video_fixture("damaged.mp4"), SamplingConfig{}, {}, {}, events);
  ASSERT_EQ(planned.size(), 2U);
  EXPECT_EQ(planned[0]->plan.total_frames, 48);
  EXPECT_EQ(planned[1], clips);
  EXPECT_LT(clips->plan.selected.back(), clips->plan.total_frames);
  EXPECT_TRUE(mentions(clips->warnings.back(), "clips are taken from the 17 frames left"));
}

TEST(DamagedVideo, NothingIsPrinted) {
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  (void)load_clips(video_fixture("damaged.mp4"), SamplingConfig{});
  (void)refusal(video_fixture("no_moov.mp4"));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

TEST(DamagedVideo, AnyBytesGiveFramesOrAnError) {
  const TemporaryDirectory folder;
  std::mt19937 generator(3);  // NOLINT(cert-msc51-cpp): the same damage in every run
  DecodeOptions options;
  options.max_pixels = 1 << 20;
  options.max_frames = 1000;
  int readable = 0;
  int refused = 0;
  for (const char* name : {"h264_bframes.mp4", "mpeg4_packed.avi", "vp9_altref.webm", "h264_bframes.ts",
                           "raw.h264", "edit_list.mp4", "mjpeg.avi", "vfr.mkv"}) {
    const std::string whole = bytes_of(video_fixture(name));
    for (int round = 0; round < 25; ++round) {
      std::string bytes = whole;
      // Half of the rounds keep to the headers, at the start.
      const std::size_t reach = round % 2 == 0 ? bytes.size() : std::min<std::size_t>(bytes.size(), 600);
      for (int i = 0; i < 1 + round; ++i) bytes[generator() % reach] = static_cast<char>(generator());
      if (round % 5 == 4) bytes.resize(generator() % bytes.size());
      const std::string path = folder.write(name, bytes);
      try {
        const auto clips = load_clips(path, SamplingConfig{}, ViewCounts{2, 1}, options);
        EXPECT_EQ(clips->frames.size(), clips->plan.selected.size());
        ++readable;
      } catch (const Error& error) {
        EXPECT_TRUE(mentions(error.what(), name));
        ++refused;
      }
    }
  }
  EXPECT_GT(readable, 20);
  EXPECT_GT(refused, 20);
}

}  // namespace
}  // namespace tpn
