#include "engine/video/image_series.h"

#include <algorithm>
#include <cstdio>
#include <random>

#include <gtest/gtest.h>

#include "engine/video/media_names.h"
#include "kernels/error.h"

namespace tpn {
namespace {

using Names = std::vector<std::string>;

/// The names of printf's pattern for the numbers first .. last.
Names series(const char* pattern, int first, int last, int step = 1) {
  Names names;
  for (int i = first; i <= last; i += step) {
    std::string text(64, '\0');
    text.resize(static_cast<std::size_t>(std::snprintf(text.data(), text.size(), pattern, i)));
    names.push_back(text);
  }
  return names;
}

Names operator+(Names a, const Names& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// Chosen from the names in an order that means nothing.
FrameNames choose(Names names, const std::string& pattern = {}) {
  std::shuffle(names.begin(), names.end(), std::mt19937(1));
  return choose_frames(names, "clip", pattern.empty() ? std::nullopt : std::optional(FramePattern(pattern)));
}

std::string refusal(const Names& names, const std::string& pattern = {}) {
  try {
    (void)choose(names, pattern);
    return "taken";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(FrameNames, OneSeriesIsTakenInTheOrderOfItsNumbers) {
  for (const Names& names :
       {series("img_%05d.jpg", 1, 40), series("frame%d.png", 0, 120), series("%d.JPG", 5, 12),
        series("v_Archery_g01_c02_%04d.jpg", 1, 9), series("clip3 take2 - %d of 12.png", 1, 12),
        series("every_fifth_%d.jpg", 0, 100, 5), Names{"1.png", "2.JPEG", "3.jpg"}, Names{"only.png"},
        Names{"shot1_1.jpg", "shot1_2.jpg", "shot2_3.jpg", "shot2_4.jpg"},
        Names{"score_93_frame_1.jpg", "score_12_frame_2.jpg", "score_45_frame_3.jpg"},
        Names{"t_0.000.jpg", "t_0.333.jpg", "t_0.667.jpg", "t_1.000.jpg", "t_1.333.jpg"},
        Names{"1403636579763555584.png", "1403636579813555456.png", "1403636579863555584.png"}}) {
    const FrameNames chosen = choose(names);
    EXPECT_EQ(chosen.names, names);
    EXPECT_EQ(chosen.warnings, Names()) << names.front();
  }
}

TEST(FrameNames, NamesWithoutNumbersComeInNaturalOrder) {
  EXPECT_EQ(choose({"b.jpg", "a.jpg", "c.jpg"}).names, (Names{"a.jpg", "b.jpg", "c.jpg"}));
  EXPECT_EQ(choose({"x10.jpg", "y9.jpg", "z.jpg"}).names, (Names{"x10.jpg", "y9.jpg", "z.jpg"}));
}

TEST(FrameNames, OpticalFlowAndTheLikeAreLeftOut) {
  const Names frames = series("img_%05d.jpg", 1, 40);
  FrameNames chosen = choose(frames + series("flow_x_%05d.jpg", 0, 38) + series("flow_y_%05d.jpg", 0, 38));
  EXPECT_EQ(chosen.names, frames);
  EXPECT_EQ(chosen.warnings,
            Names{"clip: optical flow (flow_x_%05d.jpg, flow_y_%05d.jpg) was left out; the frames "
                  "are img_%05d.jpg."});
  const Names flow_i = series("flow_i_%04d.jpg", 1, 9);  // the image, by dense_flow
  EXPECT_EQ(choose(flow_i + series("flow_x_%04d.jpg", 1, 9) + series("flow_y_%04d.jpg", 1, 9)).names, flow_i);
  EXPECT_EQ(choose(frames + series("x_%05d.jpg", 1, 39) + series("y_%05d.jpg", 1, 39)).names, frames);
  EXPECT_EQ(choose(frames + series("%05d_u.jpg", 1, 39) + series("%05d_v.jpg", 1, 39)).names, frames);
  EXPECT_EQ(
      choose(series("%06d.jpg", 0, 9) + series("%06d_depth.png", 0, 9) + series("%06d_mask.png", 0, 9)).names,
      series("%06d.jpg", 0, 9));
  EXPECT_EQ(choose(series("TVL1Flow_%d.jpg", 0, 9) + series("frame%06d.jpg", 1, 9)).names,
            series("frame%06d.jpg", 1, 9));
  EXPECT_EQ(choose(series("depth_%d.png", 0, 9)).names, series("depth_%d.png", 0, 9))
      << "nothing else is there";
}

TEST(FrameNames, SingleImagesBesideFramesAreLeftOut) {
  const Names frames = series("img_%05d.jpg", 1, 12);
  const FrameNames chosen = choose(frames + Names{"cover.jpg", "thumb1.png"});
  EXPECT_EQ(chosen.names, frames);
  ASSERT_EQ(chosen.warnings.size(), 2U);
  EXPECT_EQ(chosen.warnings[1], "clip: cover.jpg was left out; the frames are img_%05d.jpg.");
  EXPECT_EQ(chosen.warnings[0], "clip: thumbnails (thumb1.png) was left out; the frames are img_%05d.jpg.");
}

TEST(FrameNames, SeveralSeriesAreUnclear) {
  EXPECT_EQ(
      refusal(series("camA_%04d.jpg", 1, 40) + series("camB_%04d.jpg", 1, 39)),
      "clip: it holds several series of images, and it is not clear which is the video: camA_%04d.jpg (40), "
      "camB_%04d.jpg (39); say which with --frames 'camA_%04d.jpg'.");
  EXPECT_EQ(
      refusal(series("cam1_%04d.jpg", 1, 5) + series("cam2_%04d.jpg", 1, 5)),
      "clip: it holds several series of images, and it is not clear which is the video: cam1_%04d.jpg (5), "
      "cam2_%04d.jpg (5); say which with --frames 'cam1_%04d.jpg'.");
  EXPECT_EQ(
      refusal(series("flow_x_%d.jpg", 1, 5) + series("flow_y_%d.jpg", 1, 5)),
      "clip: it holds several series of images, and it is not clear which is the video: flow_x_%d.jpg (5), "
      "flow_y_%d.jpg (5); say which with --frames 'flow_x_%d.jpg'.");
  EXPECT_EQ(
      refusal(series("img_%04d.jpg", 1, 3) + series("img_%04d.png", 1, 3)),
      "clip: it holds several series of images, and it is not clear which is the video: img_%04d.jpg (3), "
      "img_%04d.png (3); say which with --frames 'img_%04d.jpg'.");
  EXPECT_NE(refusal(series("flow_x_%d.jpg", 1, 5) + Names{"cover.jpg"}), "taken") << "the cover is no video";
  EXPECT_NE(refusal(series("a%d.jpg", 1, 9) + series("a%02d.jpg", 1, 9)), "taken") << "a1.jpg and a01.jpg";
  EXPECT_NE(refusal(series("a%d.jpg", 1, 2) + Names{"x.jpg", "y.jpg", "z.jpg"}), "taken") << "more singles";
  std::string many = refusal(series("a%d.jpg", 1, 2) + series("b%d.jpg", 1, 2) + series("c%d.jpg", 1, 2) +
                             series("d%d.jpg", 1, 2) + series("e%d.jpg", 1, 2) + series("f%d.jpg", 1, 2));
  EXPECT_NE(many.find("d%d.jpg (2) and 2 more;"), std::string::npos) << many;
}

TEST(FrameNames, GapsAreSaid) {
  Names names = series("img_%05d.jpg", 1, 40);
  std::erase(names, "img_00017.jpg");
  EXPECT_EQ(choose(names).names, names);
  EXPECT_EQ(choose(names).warnings,
            Names{"clip: by their numbers 1 frame is missing (img_00017.jpg); the others are "
                  "taken without a break."});
  std::erase(names, "img_00018.jpg");
  std::erase(names, "img_00030.jpg");
  EXPECT_EQ(choose(names).warnings,
            Names{"clip: by their numbers 3 frames are missing (img_00017.jpg to "
                  "img_00018.jpg, img_00030.jpg); the others are taken without a break."});
  Names fifth = series("f%d.jpg", 0, 50, 5);
  std::erase(fifth, "f25.jpg");
  EXPECT_EQ(choose(fifth).warnings,
            Names{"clip: by their numbers 1 frame is missing (f25.jpg); the others are taken "
                  "without a break."});
  EXPECT_EQ(choose({"t_33.jpg", "t_67.jpg", "t_100.jpg"}).warnings, Names()) << "times";
}

TEST(FrameNames, APatternChooses) {
  const Names a = series("camA_%04d.jpg", 1, 12), b = series("camB_%04d.jpg", 1, 9);
  EXPECT_EQ(choose(a + b, "camB_%04d.jpg").names, b);
  EXPECT_EQ(choose(a + b, "camB_{:04d}.jpg").names, b);
  EXPECT_EQ(choose(a + b, "camB_*.jpg").names, b);
  EXPECT_EQ(choose(a + b, "cam?_000[12].jpg").names,
            (Names{"camA_0001.jpg", "camA_0002.jpg", "camB_0001.jpg", "camB_0002.jpg"}));
  EXPECT_EQ(choose(series("a%d.jpg", 1, 11) + series("a%02d.jpg", 1, 9), "a%d.jpg").names,
            series("a%d.jpg", 1, 11));
  EXPECT_EQ(choose(series("%d.jpg", 998, 1001), "%03d.jpg").names, series("%d.jpg", 998, 1001))
      << "wider numbers";
  Names holes = a;
  std::erase(holes, "camA_0004.jpg");
  EXPECT_EQ(choose(holes + b, "camA_%04d.jpg").warnings.size(), 1U);
  EXPECT_EQ(refusal(a, "img_%05d.jpg"), "clip: none of its 12 files is named like img_%05d.jpg.");
}

TEST(FramePattern, TakesWhatPrintfAndPythonWrite) {
  for (const char* pattern :
       {"img_%05d.jpg", "img_{:05}.jpg", "img_{:05d}.jpg", "img_{0:05d}.jpg", "img_%05i.jpg"}) {
    const FramePattern parsed(pattern);
    EXPECT_EQ(parsed.match("img_00017.jpg"), "00017") << pattern;
    EXPECT_EQ(parsed.match("img_123456.jpg"), "123456") << pattern;
    for (const char* other : {"img_0017.jpg", "img_000017.jpg", "img_00017.png", "img_.jpg", "img_0001x.jpg",
                              "ximg_00017.jpg", "img_00017.jpg.bak", "img_-0017.jpg"}) {
      EXPECT_FALSE(parsed.match(other)) << pattern << " " << other;
    }
  }
  EXPECT_EQ(FramePattern("%d.jpg").match("7.jpg"), "7");
  EXPECT_EQ(FramePattern("%d.jpg").match("0.jpg"), "0");
  EXPECT_FALSE(FramePattern("%d.jpg").match("07.jpg"));
  EXPECT_EQ(FramePattern("{}.jpg").match("12.jpg"), "12");
  EXPECT_EQ(FramePattern("100%%_%d.jpg").match("100%_3.jpg"), "3");
  EXPECT_EQ(FramePattern("{{a}}{}.jpg").match("{a}3.jpg"), "3");
  EXPECT_EQ(FramePattern("{a}%d.jpg").match("{a}3.jpg"), "3");
}

TEST(FramePattern, RefusesNonsense) {
  for (const char* pattern : {"", "img.jpg", "dir/img_%05d.jpg", "%s.jpg", "%5d.jpg", "%d_%d.jpg", "%.jpg",
                              "%", "{:5}.jpg", "{:05f}.jpg", "{name}.jpg", "{.jpg", "{}_{}.jpg", "%d*.jpg",
                              "%099d.jpg", "%0999d.jpg", "%x.jpg", "%-5d.jpg", "%ld.jpg"}) {
    try {
      const FramePattern parsed(pattern);
      ADD_FAILURE() << pattern;
    } catch (const Error& error) {
      EXPECT_TRUE(std::string(error.what()).starts_with("The frames' name '")) << error.what();
    }
  }
}

TEST(MediaNames, KnowVideosByTheirEndings) {
  for (const char* name :
       {"a.mp4", "A.MKV", "a.webm",  "a.mov",  "a.avi", "a.mpg", "a.mpeg", "a.mpe", "a.ts",   "a.m2ts",
        "a.MTS", "a.mxf", "a.wmv",   "a.asf",  "a.flv", "a.f4v", "a.ogv",  "a.ogm", "a.rm",   "a.rmvb",
        "a.vob", "a.3gp", "a.3g2",   "a.dv",   "a.nut", "a.ivf", "a.h264", "a.264", "a.hevc", "a.h265",
        "a.obu", "a.y4m", "a.mjpeg", "a.mjpg", "a.m4v", "a.gif", "a.wtv",  "a.m2v", "a.divx", "a.b.mp4",
        "a.vc1", "a.gxf", "a.qt",    "a.dav",  "a.amv", "a.mk3d"}) {
    EXPECT_TRUE(has_video_ending(name)) << name;
  }
  for (const char* name :
       {"a.txt", "a.mp3", "a.wav", "a.flac", "a.m4a", "a.mka",  "a.aac", "a.ogg.txt", "a.srt", "a.vtt",
        "a.sub", "a.idx", "a.nfo", "a.jpg",  "a.png", "a.webp", "a.tif", "a.json",    "a.csv", "a.m3u8",
        "a.mpd", "a.yuv", "a.py",  "mp4",    "a",     "",       "a.zip", "a.pth",     "a.wma"}) {
    EXPECT_FALSE(has_video_ending(name)) << name;
  }
  for (const char* name : {"a.jpg", "a.JPEG", "a.jpe", "a.png", "a.bmp", "a.webp"}) {
    EXPECT_TRUE(has_image_ending(name)) << name;
  }
  EXPECT_FALSE(has_image_ending("a.jpg.part"));
}

}  // namespace
}  // namespace tpn
