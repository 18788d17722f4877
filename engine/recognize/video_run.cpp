#include "engine/recognize/video_run.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "engine/networks/network.h"
#include "kernels/caught.h"

namespace tpn {
namespace {

ViewPipeline::Options pipeline_options(const VideoRun::Options& options, const DeviceWorkers& workers) {
  ViewMaker* const maker = workers.first().view_maker();
  return {.sampling = options.config->sampling,
          .dtype = options.plan.storage(),
          .batch = options.batch,
          .on_device = maker != nullptr,
          .upload_to = workers.count() == 1 ? maker : nullptr};
}

/// rows: one for each of the views, to be entered by their numbers.
void put_rows(const std::vector<float>& rows, const std::vector<int>& views, std::vector<float>& all) {
  const auto length = static_cast<std::ptrdiff_t>(rows.size() / views.size());
  auto row = rows.begin();
  for (const int view : views) {
    std::copy_n(row, length, all.begin() + view * length);
    row += length;
  }
}

void describe(const LoadedClips& clips, Recognition& recognition) {
  recognition.frames = clips.info.frames;
  recognition.fps = clips.info.frames_per_second;
  recognition.duration = clips.info.seconds;
  recognition.frame_indices = clips.plan.frame_indices;
  recognition.warnings = clips.warnings;
  recognition.timings.decode = clips.decode_ms;
  recognition.timings.convert = clips.convert_ms;
  recognition.timings.resize = clips.resize_ms;
}

}  // namespace

VideoRun::VideoRun(std::vector<ClipSource> sources, DeviceWorkers& workers, Options options)
    : options_(std::move(options)),
      classifier_(*options_.config, options_.plan),
      workers_(workers),
      pipeline_(std::move(sources), pipeline_options(options_, workers)) {
  // Making the plan takes as long as decoding: both happen at once.
  if (workers_.count() == 1) classifier_.prepare(workers_.first(), options_.batch);
}

VideoRun::~VideoRun() {
  for (const RunningBatch& batch : running_) batch.result.wait();
}

std::optional<VideoOutcome> VideoRun::next() {
  while (std::optional<PipelineEvent> event = pipeline_.next()) {
    if (auto* batch = std::get_if<ViewBatch>(&*event)) {
      start(std::move(*batch));
    } else if (const auto* end = std::get_if<VideoEnd>(&*event)) {
      return finish(*end);
    } else {
      return finish(std::get<VideoFailure>(*event));
    }
  }
  return std::nullopt;
}

void VideoRun::start(ViewBatch batch) {
  video_ = batch.video;
  Recognition& recognition = current_.recognition;
  if (current_.clips != batch.clips) {
    settle(true);
    current_.clips = batch.clips;
    recognition.clips = batch.clips->plan.clips;
    recognition.crops = static_cast<int>(batch.clips->plan.crops.size());
    const auto views = static_cast<std::size_t>(recognition.views());
    const HeadConfig& head = options_.model->config().head;
    recognition.logits.assign(views * static_cast<std::size_t>(head.num_classes), 0);
    if (options_.embeddings) {
      recognition.embeddings.assign(views * static_cast<std::size_t>(head.in_channels), 0);
    }
    current_.views_done = 0;
  }
  recognition.timings.transform += batch.transform_ms;
  if (current_.failure) return report(batch.views.size());
  std::vector<int> views = batch.views;
  auto classify = [this, batch = std::move(batch)](DeviceExecutors& device) mutable {
    const ViewBatch taken = std::move(batch);  // let go of before the result is there
    return caught([&] { return classifier_.classify(device, taken); });
  };
  running_.push_back({std::move(views), workers_.start(std::move(classify))});
  settle(false);
}

void VideoRun::settle(bool wait) {
  while (!running_.empty()) {
    std::future<Result<BatchResult>>& next = running_.front().result;
    if (!wait && next.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return;
    const Result<BatchResult> result = next.get();
    const std::vector<int> views = std::move(running_.front().views);
    running_.pop_front();
    if (result) {
      add(views, *result);
    } else if (!current_.failure) {
      current_.failure = result.failure();
    }
    report(views.size());
  }
}

void VideoRun::add(const std::vector<int>& views, const BatchResult& result) {
  Recognition& recognition = current_.recognition;
  put_rows(result.logits, views, recognition.logits);
  if (options_.embeddings) {
    put_rows(result.feature(options_.plan, pooled_feature).values, views, recognition.embeddings);
  }
  recognition.timings.inference += result.inference_ms;
  for (const std::string& warning : result.warnings) {
    if (!std::ranges::count(current_.warnings, warning)) current_.warnings.push_back(warning);
  }
  if (options_.dump != nullptr) options_.dump->record(views, result.features);
}

void VideoRun::report(std::size_t views) {
  current_.views_done += static_cast<int>(views);
  if (options_.on_progress) {
    options_.on_progress({video_, current_.views_done, current_.recognition.views()});
  }
}

VideoOutcome VideoRun::finish(const VideoEnd& end) {
  settle(true);
  Current video = std::exchange(current_, {});
  if (video.failure) return {end.video, *video.failure};
  describe(*end.clips, video.recognition);
  std::ranges::move(video.warnings, std::back_inserter(video.recognition.warnings));
  video.recognition.timings.total = end.age.ms();
  options_.model->score(video.recognition, options_.config->head.average_clips);
  return {end.video, ClassifiedVideo{std::move(video.recognition), end.clips}};
}

VideoOutcome VideoRun::finish(const VideoFailure& end) {
  settle(true);
  current_ = {};
  return {end.video, end.failure};
}

}  // namespace tpn
