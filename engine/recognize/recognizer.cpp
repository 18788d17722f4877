#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <future>
#include <iterator>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <utility>

#include "engine/model/safetensors.h"
#include "engine/recognize/batch_classifier.h"
#include "engine/recognize/consensus.h"
#include "engine/recognize/device.h"
#include "engine/recognize/model_state.h"
#include "engine/recognize/network_workers.h"
#include "engine/recognize/tensor_dump.h"
#include "engine/recognize/tpn.h"
#include "engine/recognize/view_layout.h"
#include "engine/recognize/view_pipeline.h"
#include "engine/video/stopwatch.h"
#include "kernels/convert.h"
#include "kernels/error.h"

namespace tpn {
namespace {

/// Of activations.
DType dtype_of(Precision precision) {
  switch (precision) {
    case Precision::f32:
    case Precision::tf32:
      return DType::f32;
    case Precision::f16:
      return DType::f16;
    case Precision::bf16:
      return DType::bf16;
  }
  throw Error("There is no such precision.");
}

FrameFormat format_of(PixelFormat format) {
  switch (format) {
    case PixelFormat::rgb:
      return FrameFormat::rgb;
    case PixelFormat::nv12_bt601:
      return FrameFormat::nv12_bt601;
    case PixelFormat::nv12_bt601_full:
      return FrameFormat::nv12_bt601_full;
    case PixelFormat::nv12_bt709:
      return FrameFormat::nv12_bt709;
    case PixelFormat::nv12_bt709_full:
      return FrameFormat::nv12_bt709_full;
  }
  throw Error("There is no such pixel format.");
}

std::vector<std::unique_ptr<NetworkRunner>> make_runners(const std::shared_ptr<ModelState>& model,
                                                         const RecognizerOptions& options) {
  const DType precision = dtype_of(options.precision);
  const bool tf32 = options.precision == Precision::tf32;
  std::vector<std::unique_ptr<NetworkRunner>> runners;
  for (const DeviceOptions& device : choose_devices(options)) {
    runners.push_back(std::make_unique<NetworkRunner>(model, device, precision, tf32));
  }
  return runners;
}

/// Views of a video: those of the model's protocol for what is not asked for. Throws Error for numbers that
/// the model cannot have.
ViewCounts view_counts(const SamplingConfig& sampling, const RecognizerOptions& options) {
  if (options.clips < 0 || options.crops < 0) throw Error("The number of clips or crops is negative.");
  // How many views there are depends on neither the length nor the size of a video.
  const auto counts_of = [&](const std::optional<ViewCounts>& counts) {
    const ViewPlan plan = plan_views(1, {sampling.short_side, sampling.short_side}, sampling, counts);
    return ViewCounts{plan.clips, static_cast<int>(plan.crops.size())};
  };
  ViewCounts counts = counts_of(std::nullopt);
  if (options.clips > 0) counts.clips = options.clips;
  if (options.crops > 0) counts.crops = options.crops;
  return options.clips > 0 || options.crops > 0 ? counts_of(counts) : counts;
}

/// How a video ended.
struct Ended {
  std::size_t video = 0;
  Recognition recognition;                   ///< but for its input's name
  std::shared_ptr<const LoadedClips> clips;  ///< what the views came from
  std::vector<std::string> notes;            ///< warnings of the devices
  std::exception_ptr error;                  ///< set: the video could not be used
};

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

/// A batch that was given to the network.
struct RunningBatch {
  std::future<BatchReport> report;
  int views = 0;

  [[nodiscard]] bool is_done() const {
    return report.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }
};

/// Those of one video, in their order. Does not end before they have, because they refer to what is around
/// it.
class RunningBatches : public std::deque<RunningBatch> {
 public:
  RunningBatches() = default;
  RunningBatches(const RunningBatches&) = delete;
  RunningBatches& operator=(const RunningBatches&) = delete;
  ~RunningBatches() {
    for (const RunningBatch& batch : *this) batch.report.wait();
  }
};

/// Does it unless something went wrong before, and keeps what goes wrong.
template <class Do>
void attempt(std::exception_ptr& error, const Do& action) {
  if (error) return;
  try {
    action();
  } catch (...) {
    error = std::current_exception();
  }
}

std::string message_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::bad_alloc&) {
    return "There is not enough memory.";
  } catch (const std::exception& e) {
    return e.what();
  }
}

ViewReader views_of(std::shared_ptr<const LoadedClips> clips, const SamplingConfig& sampling) {
  const ViewPlan& plan = clips->plan;
  const Shape shape{plan.view_frames, plan.crop_size, plan.crop_size, 3};
  return {{3, shape[0], shape[1], shape[2]}, [clips = std::move(clips), sampling, shape](int view) {
            const HostBuffer buffer(static_cast<std::size_t>(shape.count()) * sizeof(float));
            const TensorView out{buffer.data(), DType::f32, shape};
            fill_view(*clips, view, sampling, out);
            return to_reference_layout(read_only(out));
          }};
}

ViewReader views_of(const ConstTensorView& tensor) {
  const Shape& s = tensor.shape;
  const Shape view{s[1], s[2], s[3], s[4]};
  return {view, [tensor, count = static_cast<std::size_t>(view.count())](int i) {
            std::vector<float> values(count);
            convert(tensor.data + static_cast<std::size_t>(i) * count * size_of(tensor.dtype), tensor.dtype,
                    reinterpret_cast<std::byte*>(values.data()), DType::f32, count);
            return values;
          }};
}

/// Throws Error unless the shape is (views, 3, T, H, W).
int view_count(const std::string& name, const Shape& shape) {
  if (shape.rank() != 5 || shape[1] != 3 || shape.count() == 0 ||
      shape[0] > std::numeric_limits<int>::max()) {
    throw Error(name + ": views must have shape (views, 3, T, H, W); these have " + to_string(shape) + ".");
  }
  return static_cast<int>(shape[0]);
}

std::string text_of(float value) {
  return std::isnan(value) ? "NaN" : value > 0 ? "infinity" : "-infinity";
}

/// Throws Error when a value of the views (views, 3, T, H, W) is not finite, and says which.
void require_finite(const std::string& name, const ConstTensorView& views) {
  const auto index = first_not_finite(views);
  if (!index) return;
  const ConstTensorView element{views.data + *index * size_of(views.dtype), views.dtype, {1}};
  throw Error(name + ": the views hold " + text_of(to_floats(element).front()) + " at " +
              position_text(*index, views.shape) +
              " of (views, 3, T, H, W), counted from 0; values must be finite.");
}

/// Throws Error when the network's results are not finite, so that they are no scores.
void require_finite(const std::string& name, const Recognition& recognition) {
  const auto& logits = recognition.logits;
  const auto bad = std::ranges::find_if_not(logits, [](float x) { return std::isfinite(x); });
  if (bad == logits.end()) return;
  const auto index = static_cast<std::size_t>(bad - logits.begin());
  const std::size_t classes = recognition.scores.size();
  throw Error(
      name + ": the network's result is " + text_of(*bad) + " for class " + std::to_string(index % classes) +
      " of view " + std::to_string(index / classes) +
      ": numbers have become too large, and there are no scores. Are the weights damaged, or too large for "
      "this precision?");
}

}  // namespace

class Recognizer::Impl {
 public:
  Impl(Model model, const RecognizerOptions& options)
      : model_(std::move(model)),
        options_(options),
        counts_(view_counts(sampling(), options)),
        classifier_(model_.state_->config()),
        workers_(make_runners(model_.state_, options)) {
    if (options.batch < 0) throw Error("The number of views in a batch is negative.");
  }

  [[nodiscard]] const Model& model() const { return model_; }
  [[nodiscard]] ViewCounts counts() const { return counts_; }

  [[nodiscard]] ClipSource source_of(const std::string& input) const {
    const DecodeOptions decoding{.accurate_color = options_.accurate_color,
                                 .allow_urls = options_.allow_urls,
                                 .frames = options_.frames,
                                 .max_pixels = options_.max_pixels,
                                 .max_frames = options_.max_frames,
                                 .max_seconds = options_.max_seconds};
    return [this, input, decoding](const ClipEvents& events) {
      return load_clips(input, sampling(), wanted_counts(), decoding, events, frame_keeping());
    };
  }

  [[nodiscard]] ClipSource source_of(const FrameSequence& frames) const {
    if (frames.pixels == nullptr || frames.count < 1 || frames.height < 1 || frames.width < 1) {
      throw Error("There are no frames to take clips from.");
    }
    return [this, frames](const ClipEvents& events) {
      const FrameLayout layout{format_of(frames.format), {frames.width, frames.height}};
      const auto* pixels = reinterpret_cast<const std::byte*>(frames.pixels);
      std::vector<FrameView> views;
      views.reserve(static_cast<std::size_t>(frames.count));
      for (std::size_t i = 0; i < static_cast<std::size_t>(frames.count); ++i) {
        views.push_back(layout.at(pixels + i * layout.bytes()));
      }
      return load_clips(views, sampling(), wanted_counts(), events, frame_keeping());
    };
  }

  /// Runs the network on the views of every source and tells how each ended, in their order.
  void run(std::vector<ClipSource> sources, TensorDumpWriter* dump,
           const std::function<void(Ended&& ended)>& on_end,
           const std::function<void(const Progress& progress)>& on_progress) {
    const std::lock_guard lock(mutex_);
    ViewPipeline pipeline(std::move(sources), {.sampling = sampling(),
                                               .precision = workers_.first().precision(),
                                               .batch = batch(),
                                               .on_device = workers_.first().view_maker() != nullptr,
                                               .upload_to = only_view_maker()});
    // Making the plan takes as long as decoding: both happen at once.
    if (workers_.count() == 1) workers_.first().prepare(classifier_.input_size(batch()), features_of(dump));
    Ended video;
    RunningBatches running;
    int done = 0;
    const auto settle = [&](bool all) {
      while (!running.empty() && (all || running.front().is_done())) {
        attempt(video.error, [&] {
          const BatchReport report = running.front().report.get();
          video.recognition.timings.inference += report.inference_ms;
          for (const std::string& warning : report.warnings) {
            if (!std::ranges::count(video.notes, warning)) video.notes.push_back(warning);
          }
        });
        done += running.front().views;
        running.pop_front();
        if (on_progress) on_progress({video.video, done, video.recognition.views()});
      }
    };
    while (std::optional<ViewBatch> batch = pipeline.next()) {
      Recognition& recognition = video.recognition;
      video.video = batch->video;
      if (batch->views.empty()) {
        settle(true);
        if (batch->error) video.error = batch->error;
        if (!video.error) {
          describe(*batch->clips, recognition);
          std::ranges::move(video.notes, std::back_inserter(recognition.warnings));
          recognition.timings.total = batch->age.ms();
          finish(recognition);
        }
        on_end(std::exchange(video, {}));
        continue;
      }
      if (video.clips != batch->clips) {
        settle(true);
        video.clips = batch->clips;
        recognition.clips = batch->clips->plan.clips;
        recognition.crops = static_cast<int>(batch->clips->plan.crops.size());
        recognition.logits.assign(static_cast<std::size_t>(recognition.views()) * classes(), 0);
        done = 0;
      }
      recognition.timings.transform += batch->transform_ms;
      const auto count = static_cast<int>(batch->views.size());
      if (video.error) {
        pipeline.recycle(std::move(*batch));
        done += count;
        if (on_progress) on_progress({video.video, done, recognition.views()});
        continue;
      }
      const auto shared = std::make_shared<ViewBatch>(std::move(*batch));
      running.push_back({workers_.start([this, shared, dump, &pipeline, &recognition](NetworkRunner& runner) {
                           BatchReport report;
                           std::exception_ptr error;
                           attempt(error, [&] {
                             report = classifier_.classify(runner, *shared, dump, recognition.logits);
                           });
                           pipeline.recycle(std::move(*shared));
                           if (error) std::rethrow_exception(error);
                           return report;
                         }),
                         count});
      settle(false);
    }
  }

  /// Runs the network on prepared views: a floating-point tensor (views, 3, T, H, W) that `name` stands for.
  Recognition run_views(const std::string& name, const ConstTensorView& tensor, const TensorDump* dump) {
    const int views = view_count(name, tensor.shape);
    require_finite(name, tensor);
    const ViewReader input = views_of(tensor);
    std::optional<TensorDumpWriter> writer;
    if (dump != nullptr) writer.emplace(*dump, model_.state_->config());
    const std::lock_guard lock(mutex_);
    const Stopwatch total;
    Recognition recognition;
    recognition.input = name;
    recognition.clips = views;
    recognition.crops = 1;
    recognition.logits.resize(static_cast<std::size_t>(views) * classes());
    const int most = options_.batch > 0 ? options_.batch : default_batch(views);
    for (int first = 0; first < views; first += most) {
      const int count = std::min(most, views - first);
      BatchReport report = classifier_.classify(workers_.first(), input, first, count,
                                                writer ? &*writer : nullptr, recognition.logits);
      recognition.timings.inference += report.inference_ms;
      std::ranges::move(report.warnings, std::back_inserter(recognition.warnings));
    }
    finish(recognition);
    require_finite(name, recognition);
    recognition.timings.total = total.ms();
    if (writer) writer->write(recognition, input);
    return recognition;
  }

  /// Runs one source and returns its recognition, or throws why there is none.
  Recognition run_one(ClipSource source, const std::string& name, const TensorDump* dump) {
    std::optional<TensorDumpWriter> writer;
    if (dump != nullptr) writer.emplace(*dump, model_.state_->config());
    TensorDumpWriter* to_record = writer ? &*writer : nullptr;
    Ended video;
    run({std::move(source)}, to_record, [&](Ended&& ended) { video = std::move(ended); }, {});
    if (video.error) std::rethrow_exception(video.error);
    require_finite(name, video.recognition);
    video.recognition.input = name;
    if (writer) writer->write(video.recognition, views_of(video.clips, sampling()));
    return std::move(video.recognition);
  }

 private:
  [[nodiscard]] const SamplingConfig& sampling() const { return model_.state_->config().sampling; }
  [[nodiscard]] std::size_t classes() const { return static_cast<std::size_t>(model_.classes()); }
  /// One view on a CPU, where more gain nothing; on other devices all that there are.
  [[nodiscard]] int default_batch(int views) const {
    return workers_.first().backend().uses_host_memory() ? 1 : views;
  }
  [[nodiscard]] int batch() const {
    const int views = counts_.clips * counts_.crops;
    return std::min(options_.batch > 0 ? options_.batch : default_batch(views), views);
  }

  /// Nothing for the protocol itself, which need not be expressible in numbers.
  [[nodiscard]] std::optional<ViewCounts> wanted_counts() const {
    if (options_.clips == 0 && options_.crops == 0) return std::nullopt;
    return counts_;
  }

  /// With a single device that makes views: its maker.
  [[nodiscard]] ViewMaker* only_view_maker() const {
    return workers_.count() == 1 ? workers_.first().view_maker() : nullptr;
  }

  [[nodiscard]] FrameKeeping frame_keeping() const {
    ViewMaker* maker = workers_.first().view_maker();
    if (maker == nullptr) return {};
    return {.as_decoded = true, .allocate = [maker](std::size_t bytes) { return maker->host_memory(bytes); }};
  }

  void finish(Recognition& recognition) const {
    const Config& config = model_.state_->config();
    recognition.scores =
        average_views(recognition.logits, config.head.num_classes, config.head.average_clips);
    recognition.labels = model_.state_->labels();
  }

  Model model_;
  RecognizerOptions options_;
  ViewCounts counts_;
  std::mutex mutex_;  // one call at a time
  BatchClassifier classifier_;
  NetworkWorkers workers_;
};

Recognizer::Recognizer(Model model, const RecognizerOptions& options)
    : impl_(std::make_unique<Impl>(std::move(model), options)) {}
Recognizer::Recognizer(Recognizer&&) noexcept = default;
Recognizer& Recognizer::operator=(Recognizer&&) noexcept = default;
Recognizer::~Recognizer() = default;

const Model& Recognizer::model() const {
  return impl_->model();
}

int Recognizer::clips() const {
  return impl_->counts().clips;
}

int Recognizer::crops() const {
  return impl_->counts().crops;
}

Recognition Recognizer::classify(const std::string& input) {
  return impl_->run_one(impl_->source_of(input), input, nullptr);
}

Recognition Recognizer::classify(const std::string& input, const TensorDump& dump) {
  return impl_->run_one(impl_->source_of(input), input, &dump);
}

Recognition Recognizer::classify(const FrameSequence& frames) {
  Recognition recognition = impl_->run_one(impl_->source_of(frames), "frames in memory", nullptr);
  recognition.fps = frames.fps;
  recognition.duration = frames.fps > 0 ? frames.count / frames.fps : 0;
  return recognition;
}

Recognition Recognizer::classify(const ViewTensor& views) {
  const std::string name = "views in memory";
  const Shape shape(views.shape);
  if (shape.count() != static_cast<std::int64_t>(views.values.size())) {
    throw Error(name + ": the shape " + to_string(shape) + " is not that of " +
                std::to_string(views.values.size()) + " values.");
  }
  const auto* data = reinterpret_cast<const std::byte*>(views.values.data());
  return impl_->run_views(name, {data, DType::f32, shape}, nullptr);
}

Recognition Recognizer::classify_tensor(const std::filesystem::path& path,
                                        const std::optional<TensorDump>& dump) {
  const SafetensorsFile file = SafetensorsFile::open(path).value_or_throw();
  const SafetensorsFile::Entry* entry = file.find("input");
  if (entry == nullptr) throw Error(path.string() + ": it holds no tensor named 'input'.");
  if (!is_floating(entry->dtype)) {
    throw Error(path.string() + ": the tensor 'input' holds " + std::string(name_of(entry->dtype)) +
                " values; expected floating-point ones.");
  }
  return impl_->run_views(path.string(), file.view(*entry), dump ? &*dump : nullptr);
}

void Recognizer::classify_all(std::span<const std::string> inputs,
                              const std::function<void(Outcome&& outcome)>& on_outcome,
                              const std::function<void(const Progress& progress)>& on_progress) {
  std::vector<ClipSource> sources;
  for (const std::string& input : inputs) sources.push_back(impl_->source_of(input));
  const auto on_end = [&](Ended&& ended) {
    Outcome outcome;
    outcome.index = ended.video;
    attempt(ended.error, [&] { require_finite(inputs[ended.video], ended.recognition); });
    if (ended.error) {
      outcome.error = message_of(ended.error);
    } else {
      ended.recognition.input = inputs[ended.video];
      outcome.recognition = std::move(ended.recognition);
    }
    ended.clips = nullptr;  // its frames need not stay while the caller works
    on_outcome(std::move(outcome));
  };
  impl_->run(std::move(sources), nullptr, on_end, on_progress);
}

}  // namespace tpn
