#include "engine/recognize/view_pipeline.h"

#include <atomic>
#include <chrono>
#include <map>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tests/recognize/tiny_model.h"

namespace tpn {
namespace {

const SamplingConfig& sampling() {
  static const SamplingConfig config = test::tiny_pictures_config("tpn-slowonly-r50-8x8").sampling;
  return config;
}

ClipSource source_of(const test::RandomFrames& frames) {
  return [&frames](const ClipEvents& events) { return load_clips(frames.images(), sampling(), {}, events); };
}

Shape shape_of(const ViewPlan& plan) {
  return {plan.view_frames, plan.crop_size, plan.crop_size, 3};
}

std::string view_bytes(const LoadedClips& clips, int view, DType dtype) {
  const Shape shape = shape_of(clips.plan);
  std::string bytes(static_cast<std::size_t>(shape.count()) * size_of(dtype), '\0');
  fill_view(clips, view, sampling(), {reinterpret_cast<std::byte*>(bytes.data()), dtype, shape});
  return bytes;
}

/// What came out of a pipeline for one video.
struct Collected {
  std::map<int, std::string> views;
  std::vector<int> order;
  std::string error;
  bool ended = false;
};

std::map<std::size_t, Collected> collect(ViewPipeline& pipeline, DType dtype) {
  std::map<std::size_t, Collected> videos;
  std::map<std::size_t, std::shared_ptr<const LoadedClips>> clips;
  while (std::optional<PipelineEvent> event = pipeline.next()) {
    Collected& video = videos[std::visit([](const auto& e) { return e.video; }, *event)];
    EXPECT_FALSE(video.ended);
    if (const auto* end = std::get_if<VideoEnd>(&*event)) {
      video.ended = true;
      EXPECT_EQ(end->clips, clips[end->video]);
      continue;
    }
    if (const auto* end = std::get_if<VideoFailure>(&*event)) {
      video.ended = true;
      video.error = end->failure.message;
      continue;
    }
    const auto* batch = std::get_if<ViewBatch>(&*event);
    EXPECT_FALSE(batch->views.empty());
    if (clips[batch->video] != batch->clips) {
      clips[batch->video] = batch->clips;
      video = {};
    }
    const std::size_t bytes = static_cast<std::size_t>(shape_of(batch->clips->plan).count()) * size_of(dtype);
    for (std::size_t i = 0; i < batch->views.size(); ++i) {
      const auto* data = reinterpret_cast<const char*>(batch->data.data()) + i * bytes;
      EXPECT_TRUE(video.views.emplace(batch->views[i], std::string(data, bytes)).second);
      video.order.push_back(batch->views[i]);
    }
  }
  return videos;
}

void expect_all_views(const Collected& video, const test::RandomFrames& frames, DType dtype) {
  const auto clips = load_clips(frames.images(), sampling());
  EXPECT_TRUE(video.ended);
  EXPECT_EQ(video.error, "");
  ASSERT_EQ(static_cast<int>(video.views.size()), clips->plan.views());
  for (const auto& [view, bytes] : video.views) EXPECT_EQ(bytes, view_bytes(*clips, view, dtype)) << view;
}

TEST(ViewPipeline, GivesEveryViewOfEveryVideo) {
  const test::RandomFrames first(20, {48, 40}, 1);
  const test::RandomFrames second(9, {40, 64}, 2);
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (const int batch : {1, 2, 4, 100}) {
      ViewPipeline pipeline({source_of(first), source_of(second), source_of(first)},
                            {sampling(), dtype, batch});
      const auto videos = collect(pipeline, dtype);
      ASSERT_EQ(videos.size(), 3U);
      expect_all_views(videos.at(0), first, dtype);
      expect_all_views(videos.at(1), second, dtype);
      expect_all_views(videos.at(2), first, dtype);
      EXPECT_EQ(videos.at(0).order, videos.at(2).order);
    }
  }
}

TEST(ViewPipeline, HasNothingForNoVideos) {
  ViewPipeline pipeline({}, {sampling(), DType::f32, 1});
  EXPECT_FALSE(pipeline.next());
}

TEST(ViewPipeline, PassesErrorsOnAndContinues) {
  const test::RandomFrames frames(20, {48, 40}, 3);
  const ClipSource refuses = [](const ClipEvents&) -> std::shared_ptr<const LoadedClips> {
    throw Error("no such video");
  };
  const ClipSource breaks = [&](const ClipEvents& events) -> std::shared_ptr<const LoadedClips> {
    source_of(frames)(events);
    throw Error("broken at the end");
  };
  ViewPipeline pipeline({refuses, source_of(frames), breaks, refuses, source_of(frames)},
                        {sampling(), DType::f32, 1});
  const auto videos = collect(pipeline, DType::f32);
  ASSERT_EQ(videos.size(), 5U);
  EXPECT_EQ(videos.at(0).error, "no such video");
  expect_all_views(videos.at(1), frames, DType::f32);
  EXPECT_EQ(videos.at(2).error, "broken at the end");
  EXPECT_EQ(videos.at(3).error, "no such video");
  expect_all_views(videos.at(4), frames, DType::f32);
}

TEST(ViewPipeline, ReportsViewsThatCannotBeMade) {
  const test::RandomFrames frames(20, {48, 40}, 3);
  const ClipSource no_such_crop = [&](const ClipEvents& events) -> std::shared_ptr<const LoadedClips> {
    auto clips = std::make_shared<LoadedClips>();
    clips->plan = load_clips(frames.images(), sampling())->plan;
    clips->plan.crops = {{1000, 1000}};
    clips->frames = FrameStore({FrameFormat::rgb, clips->plan.resized}, clips->plan.selected.size());
    events.planned(clips);
    for (int clip = 0; clip < clips->plan.clips; ++clip) events.clip_ready(clip);
    return clips;
  };
  ViewPipeline pipeline({no_such_crop, no_such_crop, no_such_crop, source_of(frames)},
                        {sampling(), DType::f32, 1});
  const auto videos = collect(pipeline, DType::f32);
  ASSERT_EQ(videos.size(), 4U);
  for (const std::size_t bad : {0U, 1U, 2U}) EXPECT_NE(videos.at(bad).error, "");
  expect_all_views(videos.at(3), frames, DType::f32);
}

TEST(ViewPipeline, TakesACorrectedFrameCountUp) {
  const test::RandomFrames announced(30, {48, 40}, 4);
  const test::RandomFrames found(11, {48, 40}, 5);
  const ClipSource corrects = [&](const ClipEvents& events) {
    source_of(announced)(events);
    return source_of(found)(events);
  };
  for (int round = 0; round < 20; ++round) {  // the correction comes at any moment
    ViewPipeline pipeline({corrects, source_of(announced)}, {sampling(), DType::f32, 2});
    const auto videos = collect(pipeline, DType::f32);
    expect_all_views(videos.at(0), found, DType::f32);
    expect_all_views(videos.at(1), announced, DType::f32);
  }
}

TEST(ViewPipeline, ForgetsViewsOfAVoidPlanThatWaitForABatch) {
  const test::RandomFrames announced(30, {48, 40}, 4);
  const test::RandomFrames found(11, {48, 40}, 5);
  std::atomic<bool> one_waits = false;
  const ClipSource corrects = [&](const ClipEvents& events) {
    ClipEvents first = events;
    bool sent = false;
    first.clip_ready = [&](int clip) {
      if (!std::exchange(sent, true)) events.clip_ready(clip);
    };
    load_clips(announced.images(), sampling(), {}, first);
    one_waits.wait(false);
    return source_of(found)(events);
  };
  ViewPipeline pipeline({corrects}, {sampling(), DType::f32, 2});
  {
    const std::optional<PipelineEvent> event = pipeline.next();
    one_waits = true;
    one_waits.notify_one();
    ASSERT_TRUE(event);
    ASSERT_EQ(std::get<ViewBatch>(*event).clips->plan.crops.size(), 3U);  // two of them are in the batch
  }
  expect_all_views(collect(pipeline, DType::f32).at(0), found, DType::f32);
}

TEST(ViewPipeline, CanBeGivenUpAtAnyTime) {
  const test::RandomFrames frames(20, {48, 40}, 6);
  for (int taken = 0; taken < 25; ++taken) {
    ViewPipeline pipeline({source_of(frames), source_of(frames), source_of(frames)},
                          {sampling(), DType::f32, 1});
    for (int i = 0; i < taken; ++i) {
      ASSERT_TRUE(pipeline.next());
    }
  }
}

TEST(ViewPipeline, StopsDecodingWhenItIsGivenUp) {
  std::atomic<bool> started = false, stopped = false;
  const ClipSource endless = [&](const ClipEvents& events) -> std::shared_ptr<const LoadedClips> {
    started = true;
    started.notify_one();
    const Stopwatch waiting;
    while (!events.stop.stop_requested() && waiting.seconds() < 30) std::this_thread::yield();
    stopped = events.stop.stop_requested();
    throw Error("nothing was loaded");
  };
  {
    const ViewPipeline pipeline({endless}, {sampling(), DType::f32, 1});
    started.wait(false);
  }
  EXPECT_TRUE(stopped);
}

TEST(ViewPipeline, DecodesOneVideoAheadAndNoMore) {
  const test::RandomFrames frames(20, {48, 40}, 7);
  std::atomic<int> started = 0;
  const ClipSource counts = [&](const ClipEvents& events) {
    ++started;
    return source_of(frames)(events);
  };
  ViewPipeline pipeline(std::vector<ClipSource>(6, counts), {sampling(), DType::f32, 1});
  const std::optional<PipelineEvent> batch = pipeline.next();  // and never gives its memory back
  ASSERT_TRUE(batch);
  while (started < 2) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(started, 2);
}

}  // namespace
}  // namespace tpn
