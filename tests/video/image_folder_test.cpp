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
  folder.write("img_5.png", "");
  SamplingConfig sampling;
  sampling.clip_len = 10;
  sampling.frame_interval = 1;
  const auto clips = load_clips(folder.path().string(), sampling, ViewCounts{1, 1});
  EXPECT_EQ(clips->plan.total_frames, 10);
  ASSERT_EQ(clips->frames.size(), 10U);
  const std::string name = folder.path().string();
  const std::string first =
      name +
      "/img_0.png: the image cannot be decoded and was left out (it is no JPEG, PNG, BMP "
      "or WebP image).";
  const std::string second =
      name + "/img_5.png: the image cannot be decoded and was left out (the file is empty).";
  EXPECT_EQ(clips->warnings, (std::vector<std::string>{first, second}));
  const auto source = open_video(name);
  EXPECT_EQ(source->info().frames, 10) << "known before any is asked for";
  const std::vector<std::int64_t> other{7};
  EXPECT_EQ(source->read(other, [](std::size_t, const ImageView&) {}).warnings.size(), 2U);
  EXPECT_EQ(shown_numbers(*source), (std::vector<int>{1, 2, 3, 4, 6, 7, 8, 9, 10, 11}));
}

TEST(ImageFolder, OfManyDamagedImagesTheFirstAreNamed) {
  const test::TemporaryDirectory folder;
  std::filesystem::copy(video_fixture("frames/png"), folder.path());
  for (int i = 1; i <= 7; ++i) folder.write("img_" + std::to_string(i) + ".png", "");
  const auto source = open_video(folder.path().string());
  const std::vector<std::int64_t> first{0};
  for (int pass = 0; pass < 2; ++pass) {
    const DecodeReport report = source->read(first, [](std::size_t, const ImageView&) {});
    EXPECT_EQ(report.damaged_packets, 7);
    ASSERT_EQ(report.warnings.size(), 6U);
    EXPECT_NE(report.warnings[4].find("/img_5.png: the image cannot be decoded"), std::string::npos);
    EXPECT_EQ(report.warnings[5],
              folder.path().string() +
                  ": 7 of its images cannot be decoded and were left out; the first are named.");
  }
}

TEST(ImageFolder, DamageThatOnlyDecodingFindsEndsAsTheSame) {
  const test::TemporaryDirectory folder;
  std::filesystem::copy(video_fixture("frames/webp"), folder.path());
  // Its frame is there in full by its header, but makes no sense.
  std::string webp = test::read_file(folder / "img_5.webp");
  std::fill(webp.begin() + 30, webp.end(), '\xff');
  folder.write("img_5.webp", webp);
  const auto source = open_video(folder.path().string());
  ASSERT_EQ(source->info().frames, 12);
  const std::vector<std::int64_t> damaged{5};
  int received = 0;
  const DecodeReport report = source->read(damaged, [&](std::size_t, const ImageView&) { ++received; });
  EXPECT_EQ(received, 0);
  EXPECT_EQ(report.frames, 11);
  ASSERT_EQ(report.warnings.size(), 1U);
  EXPECT_NE(report.warnings[0].find("img_5.webp: the image cannot be decoded"), std::string::npos);
  EXPECT_EQ(shown_numbers(*source), (std::vector<int>{0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11}));
}

TEST(ImageFolder, ImagesThatBreakOffAreUsedWithAWarning) {
  const test::TemporaryDirectory folder;
  std::filesystem::copy(video_fixture("frames/jpg"), folder.path());
  const std::string whole = test::read_file(folder / "img_3.jpg");
  for (const int i : {2, 3, 4, 5, 6, 7, 8}) {
    std::filesystem::resize_file(folder / ("img_" + std::to_string(i) + ".jpg"), whole.size() - 2);
  }
  const auto source = open_video(folder.path().string());
  EXPECT_EQ(source->info().frames, 12);
  const std::vector<std::int64_t> none;
  for (int pass = 0; pass < 2; ++pass) {
    const DecodeReport report = source->read(none, [](std::size_t, const ImageView&) {});
    ASSERT_EQ(report.warnings.size(), 6U);
    EXPECT_NE(report.warnings[0].find(
                  "img_2.jpg: the image is damaged and was used as far as it could be decoded (its "
                  "end is missing)."),
              std::string::npos)
        << report.warnings[0];
    EXPECT_NE(report.warnings[5].find(": 7 of its images are damaged"), std::string::npos)
        << report.warnings[5];
    EXPECT_EQ(shown_numbers(*source).size(), 12U);
  }
}

TEST(ImageFolder, HiddenFilesAndLeftoversAreNoFrames) {
  const test::TemporaryDirectory folder;
  std::filesystem::copy(video_fixture("frames/png"), folder.path());
  for (int i = 0; i < 12; ++i) {
    const std::string name = "._img_" + std::to_string(i) + ".png";  // as archives made on a Mac hold them
    folder.write(name, std::string("\0\5\x16\7\0\2\0\0Mac OS X        ", 24));
  }
  std::filesystem::copy_file(folder / "img_1.png", folder / ".img_12.png");
  folder.write(".DS_Store", "x");
  folder.write("Thumbs.db", "x");
  const auto source = open_video(folder.path().string());
  EXPECT_EQ(shown_numbers(*source), counting(0, 12));
  const std::vector<std::int64_t> first{0};
  EXPECT_TRUE(source->read(first, [](std::size_t, const ImageView&) {}).warnings.empty());
}

TEST(ImageFolder, FramesCanBeNamed) {
  const test::TemporaryDirectory folder;
  const std::filesystem::path images = video_fixture("frames/png");
  for (int i = 0; i < 3; ++i) {
    std::filesystem::copy_file(images / ("img_" + std::to_string(i) + ".png"),
                               folder / ("a" + std::to_string(i) + ".png"));
    std::filesystem::copy_file(images / ("img_" + std::to_string(i + 5) + ".png"),
                               folder / ("b" + std::to_string(i) + ".xyz"));
  }
  EXPECT_EQ(shown_numbers(*open_video(folder.path().string(), DecodeOptions{.frames = "b%d.xyz"})),
            counting(5, 3));
  EXPECT_EQ(shown_numbers(*open_video(folder.path().string())), counting(0, 3));
  EXPECT_THROW((void)open_video(folder.path().string(), DecodeOptions{.frames = "c%d.png"}), Error);
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
