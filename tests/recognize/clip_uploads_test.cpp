#include "engine/recognize/clip_uploads.h"

#include <map>

#include <gtest/gtest.h>

#include "engine/exec/executor.h"
#include "engine/networks/network.h"
#include "engine/recognize/view_pipeline.h"
#include "kernels/reference_backend.h"
#include "tests/recognize/tiny_model.h"
#include "tests/support/frames.h"

namespace tpn {
namespace {

const SamplingConfig& sampling() {
  static const SamplingConfig config = test::tiny_pictures_config("tpn-slowonly-r50-8x8").sampling;
  return config;
}

/// A device in the host's memory that makes views.
class Device {
 public:
  [[nodiscard]] ViewMaker& maker() const { return *maker_; }
  [[nodiscard]] FrameKeeping keeping() const {
    return {.as_decoded = true, .allocate = [this](std::size_t bytes) { return maker_->host_memory(bytes); }};
  }

  /// Each of the views, with 8 channels.
  [[nodiscard]] std::vector<std::string> make(ClipUploads& uploads, const ViewPlan& plan,
                                              std::span<const int> views) const {
    const Shape shape{static_cast<std::int64_t>(views.size()), plan.view_frames, plan.crop_size,
                      plan.crop_size, 3};
    const std::size_t view_bytes =
        static_cast<std::size_t>(plan.view_frames * plan.crop_size * plan.crop_size) * 8 * sizeof(float);
    const Buffer out = backend_.allocate(views.size() * view_bytes);
    EXPECT_TRUE(uploads.upload_views(*maker_, views));
    uploads.make_views(*maker_, views, sampling(), {out.data(), DType::f32, shape}, 8, *stream_);
    std::vector<std::string> made;
    for (std::size_t i = 0; i < views.size(); ++i) {
      made.emplace_back(reinterpret_cast<const char*>(out.data()) + i * view_bytes, view_bytes);
    }
    return made;
  }

 private:
  ReferenceBackend backend_{view_channels};
  std::unique_ptr<ViewMaker> maker_ = backend_.make_view_maker();
  std::unique_ptr<Stream> stream_ = backend_.make_stream();
};

/// A view as the host makes it, with 8 channels.
std::string host_view(const LoadedClips& clips, int view) {
  const Shape shape{clips.plan.view_frames, clips.plan.crop_size, clips.plan.crop_size, 8};
  std::string bytes(static_cast<std::size_t>(shape.count()) * sizeof(float), '\0');
  fill_view(clips, view, sampling(), {reinterpret_cast<std::byte*>(bytes.data()), DType::f32, shape});
  return bytes;
}

/// What a pipeline gave for each video, made on the device.
std::vector<std::map<int, std::string>> collect(ViewPipeline& pipeline, const Device& device) {
  std::vector<std::map<int, std::string>> videos;
  std::shared_ptr<const LoadedClips> clips;
  videos.emplace_back();
  while (std::optional<PipelineEvent> event = pipeline.next()) {
    EXPECT_FALSE(std::holds_alternative<VideoFailure>(*event));
    const auto* batch = std::get_if<ViewBatch>(&*event);
    if (batch == nullptr) {
      videos.emplace_back();
      continue;
    }
    if (batch->clips != clips) {
      clips = batch->clips;
      videos.back().clear();
    }
    EXPECT_EQ(batch->data.bytes(), 0U);
    const std::vector<std::string> made = device.make(*batch->uploads, clips->plan, batch->views);
    for (std::size_t i = 0; i < made.size(); ++i) videos.back()[batch->views[i]] = made[i];
  }
  videos.pop_back();
  return videos;
}

void expect_host_views(const std::map<int, std::string>& made, const test::RawFrames& frames) {
  const auto clips = load_clips(frames.views(), sampling());
  ASSERT_EQ(static_cast<int>(made.size()), clips->plan.views());
  for (const auto& [view, bytes] : made) EXPECT_TRUE(bytes == host_view(*clips, view)) << view;
}

TEST(ClipUploads, GiveTheViewsOfTheHost) {
  const Device device;
  std::vector<test::RawFrames> videos;
  std::vector<ClipSource> sources;
  for (const FrameFormat format : test::all_frame_formats) {
    for (const ImageSize size :
         {ImageSize{48, 40}, ImageSize{32, 45}, ImageSize{64, 64}, ImageSize{20, 31}}) {
      const auto seed = static_cast<std::uint32_t>(videos.size());
      videos.emplace_back(FrameLayout{format, size}, 5 + 4 * (seed % 5), seed);
    }
  }
  for (std::size_t i = 0; i < videos.size(); ++i) {
    sources.push_back([&, i](const ClipEvents& events) {
      FrameKeeping keeping = device.keeping();
      if (i % 4 == 3) keeping.most_bytes = 1000;  // resized on the host
      return load_clips(videos[i].views(), sampling(), {}, events, keeping);
    });
  }
  for (const bool early : {true, false}) {
    for (const int batch : {2, 9}) {
      ViewPipeline pipeline(sources, {.sampling = sampling(),
                                      .batch = batch,
                                      .on_device = true,
                                      .upload_to = early ? &device.maker() : nullptr});
      const auto made = collect(pipeline, device);
      ASSERT_EQ(made.size(), videos.size());
      for (std::size_t i = 0; i < made.size(); ++i) expect_host_views(made[i], videos[i]);
    }
  }
}

TEST(ClipUploads, TakeACorrectedFrameCountUp) {
  const Device device;
  const test::RawFrames announced({FrameFormat::rgb, {48, 40}}, 30, 1);
  const test::RawFrames found({FrameFormat::rgb, {48, 40}}, 11, 2);
  const ClipSource corrects = [&](const ClipEvents& events) {
    load_clips(announced.views(), sampling(), {}, events, device.keeping());
    return load_clips(found.views(), sampling(), {}, events, device.keeping());
  };
  for (int round = 0; round < 20; ++round) {  // the correction comes at any moment
    ViewPipeline pipeline(
        {corrects, corrects},
        {.sampling = sampling(), .batch = 2, .on_device = true, .upload_to = &device.maker()});
    for (const auto& made : collect(pipeline, device)) expect_host_views(made, found);
  }
}

TEST(ClipUploads, FeedTheNetwork) {
  const test::TinyModel model;
  const auto weights = Weights::load(model.path());
  const auto backend = std::make_shared<const ReferenceBackend>(view_channels);
  const std::unique_ptr<ViewMaker> maker = backend->make_view_maker();
  const test::RawFrames frames({FrameFormat::nv12_bt709, {48, 40}}, 20, 3);
  const auto clips = load_clips(frames.views(), sampling(), {}, {}, {.as_decoded = true});
  ClipUploads uploads(clips);
  const ViewPlan& plan = clips->plan;
  const Graph graph = build_network(model.config(), {2, plan.view_frames, plan.crop_size, plan.crop_size});
  Executor executor(std::make_shared<const Plan>(graph, backend, *weights, PlanOptions{}));

  const std::vector<int> views{4, 8};
  const TensorView input = executor.input();
  const Shape one(input.shape.extents().subspan(1));
  for (std::size_t i = 0; i < 2; ++i) {
    fill_view(*clips, views[i], sampling(), {input.data + i * input.bytes() / 2, DType::f32, one});
  }
  executor.run();
  const std::vector<float> expected = executor.feature("logits").values;
  EXPECT_TRUE(uploads.upload_views(*maker, views));
  uploads.make_views(*maker, views, sampling(), executor.device_input(), executor.plan().input().stride(),
                     executor.stream());
  executor.enqueue();
  executor.stream().synchronize();
  EXPECT_EQ(executor.feature("logits").values, expected);
}

}  // namespace
}  // namespace tpn
