// What is written is read back.
#include <cmath>
#include <filesystem>

#include <gtest/gtest.h>

#include "engine/video/jpeg.h"
#include "engine/video/jpeg_writer.h"
#include "engine/video/video_source.h"
#include "engine/video/video_writer.h"
#include "kernels/error.h"
#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

/// A smooth picture; each `shift` is another.
Image picture(ImageSize size, int shift) {
  Image image(size);
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      std::uint8_t* pixel = image.view().row(y) + 3 * static_cast<std::ptrdiff_t>(x);
      pixel[0] = static_cast<std::uint8_t>(60 + 2 * x + 3 * shift);
      pixel[1] = static_cast<std::uint8_t>(60 + 2 * y);
      pixel[2] = static_cast<std::uint8_t>(120 - shift);
    }
  }
  return image;
}

double difference(const ImageView& a, const ImageView& b) {
  double sum = 0;
  for (int y = 0; y < a.size.height; ++y) {
    for (int x = 0; x < 3 * a.size.width; ++x) sum += std::abs(a.row(y)[x] - b.row(y)[x]);
  }
  return sum / (3.0 * a.size.width * a.size.height);
}

TEST(JpegWriter, WritesWhatTheDecoderReads) {
  const Image image = picture({37, 21}, 4);
  const std::vector<std::byte> file = encode_jpeg(image.view(), 95);
  JpegDecoder decoder;
  ASSERT_EQ(decoder.open(file).value_or_throw().size, (ImageSize{37, 21}));
  Image read({37, 21});
  EXPECT_EQ(decoder.decode(read.view()).value_or_throw(), "");
  EXPECT_LT(difference(read.view(), image.view()), 2);
  EXPECT_LT(encode_jpeg(image.view(), 20).size(), file.size());
}

TEST(JpegWriter, RefusesWhatTheFormatDoesNotAllow) {
  EXPECT_THROW((void)encode_jpeg(Image({0, 5}).view(), 90), Error);
  EXPECT_THROW((void)encode_jpeg(Image({70000, 1}).view(), 90), Error);
}

TEST(VideoWriter, WritesWhatTheDecoderReads) {
  const test::TemporaryDirectory directory;
  const std::string path = directory / "video.mp4";
  constexpr ImageSize size{64, 48};
  constexpr int frames = 30;
  VideoWriter writer(path, {.size = size, .frame_rate = 20, .quality = 2});
  for (int t = 0; t < frames; ++t) writer.add(picture(size, t).view());
  EXPECT_THROW(writer.add(picture({32, 48}, 0).view()), Error);
  writer.finish();

  const std::unique_ptr<VideoSource> video = open_video(path);
  EXPECT_EQ(video->info().frames, frames);
  EXPECT_EQ(video->info().size, size);
  EXPECT_DOUBLE_EQ(video->info().frames_per_second, 20);
  std::vector<std::int64_t> all;
  for (std::int64_t t = 0; t < frames; ++t) all.push_back(t);
  int seen = 0;
  video->read(all, [&](std::size_t index, const ImageView& frame) {
    EXPECT_LT(difference(frame, picture(size, static_cast<int>(index)).view()), 4) << index;
    ++seen;
  });
  EXPECT_EQ(seen, frames);
}

TEST(VideoWriter, SaysWhatCannotBeWritten) {
  try {
    const VideoWriter writer("/nonexistent/video.mp4", {.size = {64, 48}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("/nonexistent/video.mp4"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tpn
