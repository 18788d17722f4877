#include "engine/video/frame_reader.h"

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tests/support/images.h"
#include "tests/support/temporary_directory.h"
#include "tests/video/numbered_frames.h"

namespace tpn {
namespace {

using test::equal_pixels;

using Indices = std::vector<std::int64_t>;

Image copy_of(const ImageView& picture) {
  Image image(picture.size);
  for (int y = 0; y < picture.size.height; ++y) {
    std::copy_n(picture.row(y), std::ptrdiff_t{3} * picture.size.width, image.view().row(y));
  }
  return image;
}

/// Every frame of a file, decoded from its start.
std::vector<Image> all_frames(const std::string& path) {
  const auto source = open_video(path);
  Indices indices(static_cast<std::size_t>(source->info().frames));
  std::iota(indices.begin(), indices.end(), 0);
  std::vector<Image> frames;
  source->read(indices, [&](std::size_t, const ImageView& picture) { frames.push_back(copy_of(picture)); });
  return frames;
}

std::vector<Image> read(const FrameReader& reader, const Indices& indices) {
  std::vector<Image> frames;
  reader.read(indices, [&](std::size_t position, const ImageView& picture) {
    EXPECT_EQ(position, frames.size());
    frames.push_back(copy_of(picture));
  });
  EXPECT_EQ(frames.size(), indices.size());
  return frames;
}

/// Videos that are whole, in containers with and without times, of codecs with and without B-frames, with
/// pictures that are hidden, cut off by an edit list, turned, of uneven times, and open groups of pictures.
constexpr const char* whole_videos[]{"h264_bframes.mp4", "h264_bframes.ts",  "open_gop.mp4",
                                     "vp9_altref.webm",  "vp8_altref.webm",  "mjpeg.avi",
                                     "vfr.mkv",          "edit_list.mp4",    "negative_start.mp4",
                                     "interlaced.mp4",   "rotate90.mp4",     "demo.mp4",
                                     "copied.avi",       "mpeg4_packed.avi", "ten_bit.mp4",
                                     "raw.h264",         "raw.m4v",          "paff.mkv",
                                     "long_sound.mkv",   "two_videos.mp4",   "late_key.mp4",
                                     "leading.mkv",      "full_range.mp4",   "odd.avi"};

TEST(FrameReader, GivesTheFramesThatDecodingFromTheStartGives) {
  for (const char* name : whole_videos) {
    SCOPED_TRACE(name);
    const std::string path = test::video_fixture(name);
    const std::vector<Image> expected = all_frames(path);
    const auto reader = open_frames(path);
    ASSERT_EQ(reader->info().frames, std::ssize(expected));
    const std::int64_t last = reader->info().frames - 1;
    for (const Indices& indices : {Indices{0}, Indices{last}, Indices{last / 2}, Indices{1, 2, 3},
                                   Indices{0, last / 3, last}, Indices{last / 4, last / 4 + 1, last - 1}}) {
      const std::vector<Image> frames = read(*reader, indices);
      for (std::size_t i = 0; i < indices.size(); ++i) {
        EXPECT_TRUE(equal_pixels(frames[i].view(), expected[static_cast<std::size_t>(indices[i])].view()))
            << "frame " << indices[i];
      }
    }
    for (std::int64_t i = 0; i <= last; ++i) {
      EXPECT_TRUE(
          equal_pixels(read(*reader, {i}).front().view(), expected[static_cast<std::size_t>(i)].view()))
          << "frame " << i;
    }
  }
}

TEST(FrameReader, DoesNotReadWhatComesBeforeTheKeyFrame) {
  const test::TemporaryDirectory folder;
  std::string bytes = test::read_file(test::video_fixture("h264_bframes.mp4"));  // keys: frames 0, 16 and 32
  const std::size_t data = bytes.find("mdat") + 4;
  const std::filesystem::path intact = folder.write("intact.mp4", bytes);
  const std::vector<Image> expected = all_frames(intact.string());
  // Frames 1 to 15; opening decodes the first.
  for (std::size_t i = data + 726; i < data + 1042; ++i) bytes[i] = static_cast<char>(i * 31);
  const auto reader = open_frames(folder.write("damaged.mp4", bytes).string());
  const std::vector<Image> frames = read(*reader, {30, 40});
  EXPECT_TRUE(equal_pixels(frames[0].view(), expected[30].view()));
  EXPECT_TRUE(equal_pixels(frames[1].view(), expected[40].view()));
  EXPECT_THROW(reader->read(Indices{10, 40}, [](std::size_t, const ImageView&) {}), Error);
}

TEST(FrameReader, NamesTheFrameThatIsDamaged) {
  const auto reader = open_frames(test::video_fixture("late_damage.mp4"));
  std::set<std::string> messages;
  for (std::int64_t i = 0; i < reader->info().frames; ++i) {
    try {
      read(*reader, {i});
    } catch (const Error& error) {
      messages.insert(error.what());
      EXPECT_NE(std::string(error.what()).find("late_damage.mp4: frame " + std::to_string(i) + " "),
                std::string::npos)
          << error.what();
    }
  }
  EXPECT_FALSE(messages.empty());
  EXPECT_LT(std::ssize(messages), reader->info().frames);
}

TEST(FrameReader, ServesManyThreads) {
  const std::string path = test::video_fixture("h264_bframes.mp4");
  const std::vector<Image> expected = all_frames(path);
  const auto reader = open_frames(path);
  std::vector<std::jthread> threads;
  for (std::int64_t i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      const Indices indices{i, 24 + i, 40 + i};
      const std::vector<Image> frames = read(*reader, indices);
      for (std::size_t k = 0; k < 3; ++k) {
        EXPECT_TRUE(equal_pixels(frames[k].view(), expected[static_cast<std::size_t>(indices[k])].view()));
      }
    });
  }
}

TEST(FrameReader, RefusesWhatIsNoVideo) {
  const test::TemporaryDirectory folder;
  EXPECT_THROW(open_frames((folder / "nothing.mp4").string()), Error);
  EXPECT_THROW(open_frames(folder.write("text.mp4", "not a video").string()), Error);
  EXPECT_THROW(open_frames(test::video_fixture("audio_only.m4a")), Error);
}

class RawFramesTest : public testing::Test {
 protected:
  /// Images first_number, ... in the folder, of different pictures.
  void write_images(int first_number, const std::vector<std::string>& pictures) {
    for (std::size_t i = 0; i < pictures.size(); ++i) {
      std::filesystem::copy_file(
          std::string(TPN_TEST_DATA "/images/") + pictures[i],
          folder_ / ("img_0000" + std::to_string(first_number + static_cast<int>(i)) + ".jpg"));
    }
  }
  [[nodiscard]] std::unique_ptr<FrameReader> open(const RawFrameNames& names, std::int64_t frames) const {
    return open_frames(folder_.path().string(), {}, names, frames);
  }
  /// Whether frame `i` is that picture.
  static bool shows(const FrameReader& reader, std::int64_t i, const std::string& picture) {
    const auto images = read(reader, {i});
    const std::vector<Image> expected = [&] {
      const test::TemporaryDirectory alone;
      std::filesystem::copy_file(std::string(TPN_TEST_DATA "/images/") + picture, alone / "a.jpg");
      return all_frames(alone.path().string());
    }();
    return equal_pixels(images.front().view(), expected.front().view());
  }

  test::TemporaryDirectory folder_;
};

TEST_F(RawFramesTest, CountsFromTheFirstNumber) {
  write_images(0, {"420.jpg", "422.jpg", "444.jpg", "gray.jpg"});
  const auto from_zero = open({"img_%05d.jpg", 0}, 3);
  EXPECT_EQ(from_zero->info().frames, 3);
  EXPECT_TRUE(shows(*from_zero, 0, "420.jpg"));
  EXPECT_TRUE(shows(*from_zero, 2, "444.jpg"));
  const auto from_one = open({"img_{:05}.jpg", 1}, 3);
  EXPECT_TRUE(shows(*from_one, 0, "422.jpg"));
  EXPECT_TRUE(shows(*from_one, 2, "gray.jpg"));
  const auto as_found = open({}, 0);
  EXPECT_EQ(as_found->info().frames, 4);
  EXPECT_TRUE(shows(*as_found, 3, "gray.jpg"));
}

TEST_F(RawFramesTest, RefusesFoldersThatLackFrames) {
  write_images(1, {"420.jpg", "422.jpg"});
  EXPECT_THROW((void)open({"img_%05d.jpg", 1}, 3), Error);
  EXPECT_THROW((void)open({"img_%05d.jpg", 0}, 2), Error);
  EXPECT_THROW((void)open({}, 3), Error);
  EXPECT_NO_THROW((void)open({"img_%05d.jpg", 1}, 2));
}

TEST_F(RawFramesTest, RefusesDamagedImagesWhenTheyAreRead) {
  write_images(1, {"420.jpg", "cut_off.jpg"});
  const auto reader = open({"img_%05d.jpg", 1}, 2);
  EXPECT_NO_THROW(read(*reader, {0}));
  EXPECT_THROW(reader->read(Indices{1}, [](std::size_t, const ImageView&) {}), Error);
}

}  // namespace
}  // namespace tpn
