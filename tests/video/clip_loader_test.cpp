#include "engine/video/clip_loader.h"

#include <cstring>
#include <set>

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "kernels/half.h"
#include "kernels/memory.h"
#include "tests/support/frames.h"
#include "tests/support/golden.h"
#include "tests/support/images.h"
#include "tests/video/numbered_frames.h"

namespace tpn {
namespace {

std::vector<std::filesystem::path> directories() {
  return test::golden_directories(TPN_TEST_DATA "/transforms", "TPN_TRANSFORM_DIRS");
}

/// All frames of a uint8 tensor (N, H, W, 3).
std::vector<ImageView> images_of(const ConstTensorView& tensor) {
  std::vector<ImageView> images;
  for (std::int64_t i = 0; i < tensor.shape[0]; ++i) images.push_back(test::image_of(tensor, i));
  return images;
}

/// A view as (T, H, W, C) floats.
std::vector<float> view_of(const LoadedClips& clips, int view, const SamplingConfig& sampling,
                           int channels = 3) {
  const Shape shape{clips.plan.view_frames, clips.plan.crop_size, clips.plan.crop_size, channels};
  std::vector<float> values(static_cast<std::size_t>(shape.count()));
  fill_view(clips, view, sampling, {reinterpret_cast<std::byte*>(values.data()), DType::f32, shape});
  return values;
}

TEST(ClipLoader, EqualsTheReferencePipeline) {
  for (const auto& directory : directories()) {
    const test::Golden golden = test::Golden::load(directory, "pipeline");
    const auto& record = golden.record();
    SamplingConfig sampling;
    sampling.clip_len = record.at("clip_len");
    sampling.frame_interval = record.at("frame_interval");
    sampling.num_clips = record.at("num_clips");
    sampling.short_side = record.at("short_side");
    sampling.crop_size = record.at("crop");
    const auto clips = load_clips(images_of(golden.tensor("video")), sampling);
    EXPECT_EQ(clips->plan.frame_indices, record.at("frame_inds").get<std::vector<std::int64_t>>());
    EXPECT_EQ(clips->plan.resized, (ImageSize{record.at("resized").at(0), record.at("resized").at(1)}));

    const Shape shape = golden.tensor("input").shape;  // (views, 3, T, H, W)
    const auto expected = golden.values<float>("input", DType::f32);
    ASSERT_EQ(clips->plan.views(), shape[0]);
    const std::int64_t pixels = shape[2] * shape[3] * shape[4];
    for (int v = 0; v < clips->plan.views(); ++v) {
      const std::vector<float> view = view_of(*clips, v, sampling, 4);
      for (std::int64_t i = 0; i < pixels; ++i) {
        for (std::int64_t c = 0; c < 3; ++c) {
          ASSERT_EQ(view[static_cast<std::size_t>(4 * i + c)],
                    expected[static_cast<std::size_t>((std::int64_t{3} * v + c) * pixels + i)])
              << directory << " view " << v;
        }
        ASSERT_EQ(view[static_cast<std::size_t>(4 * i + 3)], 0);
      }
    }
  }
}

/// Clips whose frames are given: `clips` times T frames, one after the other, three crops.
LoadedClips packed(const std::vector<ImageView>& frames, int clips, int view_frames, int crop) {
  LoadedClips result;
  result.plan.crop_size = crop;
  result.plan.resized = frames.front().size;
  result.plan.clips = clips;
  result.plan.view_frames = view_frames;
  result.plan.crops = three_crop_offsets(frames.front().size, crop);
  result.frames = FrameStore({FrameFormat::rgb, frames.front().size},
                             static_cast<std::size_t>(clips) * static_cast<std::size_t>(view_frames));
  for (std::size_t i = 0; i < static_cast<std::size_t>(clips) * static_cast<std::size_t>(view_frames); ++i) {
    result.plan.slots.push_back(i);
    result.frames.set(i, frame_of(frames[i]));
  }
  return result;
}

TEST(ClipLoader, ViewsArePackedInTheReferenceOrder) {
  SamplingConfig plain;
  plain.mean = {0, 0, 0};
  plain.std = {1, 1, 1};
  for (const auto& directory : directories()) {
    const test::Golden golden = test::Golden::load(directory, "pack");
    const std::vector<ImageView> frames = images_of(golden.tensor("frames"));
    const auto clips = golden.values<std::uint8_t>("nctHW", DType::u8);    // (30, 3, 8, 6, 6)
    const auto segments = golden.values<std::uint8_t>("nchw", DType::u8);  // (6 * 8, 3, 6, 6)
    const LoadedClips slow_only = packed(frames, 10, 8, 6);
    const LoadedClips tsm = packed(frames, 2, 8, 6);
    ASSERT_EQ(slow_only.plan.views(), 30);
    ASSERT_EQ(tsm.plan.views(), 6);
    for (std::size_t v = 0; v < 30; ++v) {
      const std::vector<float> view = view_of(slow_only, static_cast<int>(v), plain);  // (T, H W, 3)
      const std::vector<float> sample =
          v < 6 ? view_of(tsm, static_cast<int>(v), plain) : std::vector<float>{};
      for (std::size_t t = 0; t < 8; ++t) {
        for (std::size_t i = 0; i < 36; ++i) {
          for (std::size_t c = 0; c < 3; ++c) {
            ASSERT_EQ(view[(t * 36 + i) * 3 + c], clips[((v * 3 + c) * 8 + t) * 36 + i]) << "view " << v;
            if (v < 6) {
              ASSERT_EQ(sample[(t * 36 + i) * 3 + c], segments[((v * 8 + t) * 3 + c) * 36 + i])
                  << "view " << v;
            }
          }
        }
      }
    }
  }
}

TEST(ClipLoader, KeepsExactlyTheSelectedFrames) {
  SamplingConfig sampling;
  sampling.short_side = 48;
  sampling.crop_size = 48;
  sampling.frame_interval = 4;
  const auto clips = load_clips(test::video_fixture("h264_bframes.mp4"), sampling);
  EXPECT_EQ(clips->plan.total_frames, 48);
  EXPECT_TRUE(clips->warnings.empty());
  ASSERT_EQ(clips->frames.size(), clips->plan.selected.size());
  for (std::size_t i = 0; i < clips->frames.size(); ++i) {
    EXPECT_EQ(test::shown_number(image_of(clips->frames[i]), {64, 48}), clips->plan.selected[i]);
  }
}

TEST(ClipLoader, KeepsFramesAsDecodedWithTheSameViews) {
  SamplingConfig sampling;
  sampling.short_side = 36;
  sampling.crop_size = 36;
  const std::string path = test::video_fixture("h264_bframes.mp4");
  const auto resized = load_clips(path, sampling);
  EXPECT_EQ(resized->frames.layout(), (FrameLayout{FrameFormat::rgb, resized->plan.resized}));
  FrameKeeping keeping;
  keeping.as_decoded = true;
  const auto decoded = load_clips(path, sampling, {}, {}, {}, keeping);
  const FrameLayout layout{FrameFormat::rgb, decoded->info.size};
  EXPECT_EQ(decoded->frames.layout(), layout);
  for (int view = 0; view < resized->plan.views(); ++view) {
    EXPECT_EQ(view_of(*decoded, view, sampling), view_of(*resized, view, sampling)) << view;
  }
  keeping.most_bytes = layout.bytes() * decoded->plan.selected.size() - 1;
  EXPECT_EQ(load_clips(path, sampling, {}, {}, {}, keeping)->frames.layout(), resized->frames.layout());
}

TEST(ClipLoader, TakesNv12Frames) {
  SamplingConfig sampling;
  sampling.short_side = 24;
  sampling.crop_size = 24;
  const test::RawFrames nv12({FrameFormat::nv12_bt709, {47, 33}}, 9, 1, 3);
  std::vector<Image> rgb;
  std::vector<ImageView> views;
  for (const FrameView& frame : nv12.views()) rgb.push_back(test::rgb_of(frame));
  for (const Image& image : rgb) views.push_back(image.view());
  const auto expected = load_clips(views, sampling, ViewCounts{2, 3});
  for (const bool as_decoded : {false, true}) {
    const auto clips = load_clips(nv12.views(), sampling, ViewCounts{2, 3}, {}, {.as_decoded = as_decoded});
    for (int view = 0; view < 6; ++view) {
      EXPECT_EQ(view_of(*clips, view, sampling), view_of(*expected, view, sampling)) << view;
    }
  }
}

TEST(ClipLoader, ReportsEachClipWhenItsLastFrameIsThere) {
  SamplingConfig sampling;
  sampling.short_side = 48;
  sampling.crop_size = 48;
  sampling.frame_interval = 3;
  std::shared_ptr<const LoadedClips> planned;
  std::vector<std::pair<int, std::vector<float>>> ready;
  ClipEvents events;
  events.planned = [&](const auto& clips) {
    EXPECT_EQ(planned, nullptr);
    planned = clips;
  };
  events.clip_ready = [&](int clip) { ready.emplace_back(clip, view_of(*planned, clip, sampling)); };
  const auto clips = load_clips(test::video_fixture("h264_bframes.mp4"), sampling, {}, {}, events);
  EXPECT_EQ(clips, planned);
  ASSERT_EQ(ready.size(), 10U);
  std::set<int> seen;
  for (const auto& [clip, view] : ready) {
    EXPECT_TRUE(seen.insert(clip).second);
    EXPECT_EQ(view, view_of(*clips, clip, sampling))
        << "clip " << clip << " was reported before it was complete";
  }
  EXPECT_EQ(ready.front().first, 0);
}

TEST(ClipLoader, StopsWhenItIsAskedTo) {
  SamplingConfig sampling;
  sampling.short_side = 24;
  sampling.crop_size = 24;
  sampling.clip_len = 2;
  sampling.frame_interval = 1;
  for (const char* name : {"h264_bframes.mp4", "frames/jpg"}) {
    std::stop_source stop;
    int plans = 0, clips = 0;
    ClipEvents events;
    events.planned = [&](const auto&) { ++plans; };
    events.clip_ready = [&](int) {
      ++clips;
      stop.request_stop();
    };
    events.stop = stop.get_token();
    load_clips(test::video_fixture(name), sampling, ViewCounts{3, 1}, {}, events);
    EXPECT_EQ(plans, 1) << name;
    EXPECT_EQ(clips, 1) << name;
  }
}

/// Gives other numbers of frames than it announces, one after the other and the last for ever; each frame
/// shows its number.
class WaveringSource : public VideoSource {
 public:
  WaveringSource(std::int64_t announced, std::vector<std::int64_t> frames) : frames_(std::move(frames)) {
    info_.size = {24, 24};
    info_.frames = announced;
  }

  [[nodiscard]] const VideoInfo& info() const override { return info_; }

  DecodeReport read(std::span<const std::int64_t> indices, const Receiver& receive,
                    const std::stop_token& /*stop*/) override {
    DecodeReport report;
    report.frames = frames_.front();
    if (frames_.size() > 1) frames_.erase(frames_.begin());
    Image picture(info_.size);
    for (std::size_t i = 0; i < indices.size() && indices[i] < report.frames; ++i) {
      std::memset(picture.view().data, static_cast<int>(indices[i]), picture.view().stride);
      receive(i, std::as_const(picture).view());
    }
    return report;
  }

 private:
  VideoInfo info_;
  std::vector<std::int64_t> frames_;
};

TEST(ClipLoader, DrawsClipsAnewFromHoweverManyFramesThereAre) {
  SamplingConfig sampling;
  sampling.short_side = 24;
  sampling.crop_size = 24;
  for (const std::int64_t frames : {70, 100, 200}) {
    WaveringSource source(100, {frames});
    std::vector<std::int64_t> planned;
    ClipEvents events;
    events.planned = [&](const auto& clips) { planned.push_back(clips->plan.total_frames); };
    const auto clips = load_clips(source, "wavering", sampling, {}, events);
    EXPECT_EQ(clips->info.frames, frames);
    EXPECT_EQ(clips->plan.selected.back(), frames - 1);
    EXPECT_EQ(image_of(clips->frames[clips->frames.size() - 1]).row(0)[0], frames - 1);
    EXPECT_EQ(planned,
              frames == 100 ? std::vector<std::int64_t>{100} : (std::vector<std::int64_t>{100, frames}));
  }
}

TEST(ClipLoader, GivesUpWhenTheNumberOfFramesKeepsChanging) {
  WaveringSource source(100, {99, 98, 97, 96});
  try {
    (void)load_clips(source, "wavering", SamplingConfig{});
    FAIL() << "It was accepted.";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "wavering: its frames cannot be decoded reliably.");
  }
}

TEST(ClipLoader, ReportsALoopedClipWhenTheFrameThatIsDecodedLastIsThere) {
  SamplingConfig sampling;
  sampling.short_side = 24;
  sampling.crop_size = 24;
  sampling.frame_interval = 7;
  const test::RawFrames raw({FrameFormat::nv12_bt709, {32, 24}}, 12, 1, 5);
  std::shared_ptr<const LoadedClips> planned;
  std::vector<float> early;
  ClipEvents events;
  events.planned = [&](const auto& clips) { planned = clips; };
  events.clip_ready = [&](int) { early = view_of(*planned, 0, sampling); };
  const auto clips = load_clips(raw.views(), sampling, ViewCounts{1, 1}, events);
  // Its last frame in time is not the one that is decoded last.
  EXPECT_EQ(clips->plan.frame_indices, (std::vector<std::int64_t>{0, 7, 2, 9, 4, 11, 6, 1}));
  EXPECT_EQ(early, view_of(*clips, 0, sampling));
}

TEST(ClipLoader, FramesOfAVideoAreOfOneSizeAndFormat) {
  const test::RawFrames rgb({FrameFormat::rgb, {32, 24}}, 1, 1, 5),
      nv12({FrameFormat::nv12_bt709, {32, 24}}, 1, 1, 5), wide({FrameFormat::rgb, {34, 24}}, 1, 1, 5);
  for (const auto& [first, second] : {std::pair(&rgb, &nv12), {&nv12, &rgb}, {&rgb, &wide}, {&wide, &rgb}}) {
    const std::vector<FrameView> frames{first->views()[0], second->views()[0]};
    EXPECT_THROW((void)load_clips(frames, SamplingConfig{}), Error);
  }
}

TEST(ClipLoader, ShortVideosLoop) {
  SamplingConfig sampling;
  sampling.short_side = 24;
  sampling.crop_size = 24;
  const auto clips = load_clips(test::video_fixture("frames/png"), sampling, ViewCounts{1, 1});
  EXPECT_EQ(clips->plan.frame_indices, (std::vector<std::int64_t>{0, 8, 4, 0, 8, 4, 0, 8}));
  EXPECT_EQ(clips->frames.size(), 3U);
}

TEST(ClipLoader, RefusesWhatDoesNotFit) {
  const Image small({32, 24});
  const Image large({64, 48});
  const std::vector<ImageView> none;
  EXPECT_THROW(load_clips(none, SamplingConfig{}), Error);
  const std::vector<ImageView> mixed{small.view(), large.view()};
  EXPECT_THROW(load_clips(mixed, SamplingConfig{}), Error);
  SamplingConfig sampling;
  sampling.short_side = 24;
  sampling.crop_size = 24;
  const std::vector<ImageView> frames{small.view()};
  const auto clips = load_clips(frames, sampling, ViewCounts{1, 1});
  std::vector<float> values(13824);  // (8, 24, 24, 3)
  const auto out = [&values](Shape shape) {
    return TensorView{reinterpret_cast<std::byte*>(values.data()), DType::f32, shape};
  };
  EXPECT_NO_THROW(fill_view(*clips, 0, sampling, out({8, 24, 24, 3})));
  EXPECT_THROW(fill_view(*clips, 0, sampling, out({8, 20, 20, 3})), Error);
  EXPECT_THROW(fill_view(*clips, 0, sampling, out({4, 24, 24, 3})), Error);
  EXPECT_THROW(fill_view(*clips, 1, sampling, out({8, 24, 24, 3})), Error);
  EXPECT_THROW(fill_view(*clips, -1, sampling, out({8, 24, 24, 3})), Error);
}

}  // namespace
}  // namespace tpn
