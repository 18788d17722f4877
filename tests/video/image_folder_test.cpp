#include <filesystem>

#include <gtest/gtest.h>

#include "engine/video/clip_loader.h"
#include "engine/video/natural_order.h"
#include "engine/video/video_source.h"
#include "kernels/error.h"
#include "tests/support/temporary_directory.h"
#include "tests/video/numbered_frames.h"

namespace tpn {
namespace {

using test::counting;
using test::shown_numbers;
using test::video_fixture;

TEST(NaturalOrder, ComparesRunsOfDigitsByValue) {
  const std::vector<std::string> ordered{"a",
                                         "a1",
                                         "a02",
                                         "a2",
                                         "a10",
                                         "a10b",
                                         "a11",
                                         "b",
                                         "img_9.png",
                                         "img_10.png",
                                         "img_99999999999999999999998.png",
                                         "img_99999999999999999999999.png"};
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    for (std::size_t j = 0; j < ordered.size(); ++j) {
      EXPECT_EQ(natural_less(ordered[i], ordered[j]), i < j) << ordered[i] << " " << ordered[j];
    }
  }
}

TEST(ImageFolder, FramesComeInNaturalOrder) {
  for (const char* kind : {"png", "jpg", "bmp", "webp"}) {
    const auto source = open_video(video_fixture(std::string("frames/") + kind));
    EXPECT_EQ(source->info().frames, 12) << kind;
    EXPECT_EQ(source->info().size, (ImageSize{32, 24})) << kind;
    EXPECT_EQ(shown_numbers(*source), counting(0, 12)) << kind;
  }
}

TEST(ImageFolder, IgnoresOtherFilesAndTakesNamesLiterally) {
  const test::TemporaryDirectory folder;
  folder.write("notes.txt", "no image");
  std::filesystem::create_directory(folder.path() / "sub.png");
  const std::filesystem::path images = video_fixture("frames/png");
  std::filesystem::copy_file(images / "img_7.png", folder.path() / "x%d1.PNG");
  std::filesystem::copy_file(images / "img_3.png", folder.path() / "x%d2.png");
  const auto source = open_video(folder.path().string());
  EXPECT_EQ(shown_numbers(*source), (std::vector<int>{7, 3}));
}

TEST(ImageFolder, DamagedImagesAreLeftOut) {
  const test::TemporaryDirectory folder;
  std::filesystem::copy(video_fixture("frames/png"), folder.path());
  folder.write("img_0.png", "no image");
  folder.write("img_5.png", "no image either");
  SamplingConfig sampling;
  sampling.clip_len = 10;
  sampling.frame_interval = 1;
  const auto clips = load_clips(folder.path().string(), sampling, ViewCounts{1, 1});
  EXPECT_EQ(clips->plan.total_frames, 10);
  ASSERT_EQ(clips->frames.size(), 10U);
  EXPECT_EQ(clips->warnings.size(), 1U);
  const auto source = open_video(folder.path().string());
  EXPECT_EQ(source->info().frames, 12);
  const std::vector<std::int64_t> damaged{5};
  EXPECT_EQ(source->read(damaged, [](std::size_t, const ImageView&) {}).warnings.size(), 2U);
  EXPECT_EQ(shown_numbers(*source), (std::vector<int>{1, 2, 3, 4, 6, 7, 8, 9, 10, 11}));
}

TEST(ImageFolder, ImagesOfAnotherSizeAreScaled) {
  const test::TemporaryDirectory folder;
  const std::filesystem::path images = video_fixture("frames");
  std::filesystem::copy_file(images / "png/img_3.png", folder.path() / "1.png");
  std::filesystem::copy_file(images / "jpg/img_4.jpg", folder.path() / "2.jpg");
  const auto source = open_video(folder.path().string());
  EXPECT_EQ(shown_numbers(*source), (std::vector<int>{3, 4}));
}

TEST(ImageFolder, NothingToDecodeIsAnError) {
  const test::TemporaryDirectory folder;
  EXPECT_THROW((void)open_video(folder.path().string()), Error);
  folder.write("a.png", "no image");
  EXPECT_THROW((void)open_video(folder.path().string()), Error);
}

}  // namespace
}  // namespace tpn
