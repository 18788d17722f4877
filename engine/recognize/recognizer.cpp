#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>

#include "engine/devices/device_workers.h"
#include "engine/dump/tensor_dump.h"
#include "engine/model/safetensors.h"
#include "engine/networks/network.h"
#include "engine/recognize/clip_sources.h"
#include "engine/recognize/finite.h"
#include "engine/recognize/model_state.h"
#include "engine/recognize/options.h"
#include "engine/recognize/prepared_views.h"
#include "engine/recognize/recognition_dump.h"
#include "engine/recognize/tpn.h"
#include "engine/recognize/video_run.h"
#include "kernels/error.h"

namespace tpn {
namespace {

std::vector<std::unique_ptr<DeviceExecutors>> make_devices(const ModelState& model,
                                                           const RecognizerOptions& options) {
  std::vector<std::unique_ptr<DeviceExecutors>> devices;
  for (const DeviceOptions& device : choose_devices(options)) {
    devices.push_back(std::make_unique<DeviceExecutors>(model.plans(), device));
  }
  return devices;
}

}  // namespace

class Recognizer::Impl {
 public:
  Impl(Model model, const RecognizerOptions& options)
      : model_(std::move(model)),
        options_(options),
        config_(chosen_config(state().config(), options)),
        counts_(view_counts(config_.sampling, options)),
        workers_(make_devices(state(), options)) {
    if (options.batch < 0) throw Error("The number of views in a batch is negative.");
  }

  [[nodiscard]] const Model& model() const { return model_; }
  [[nodiscard]] ViewCounts counts() const { return counts_; }

  /// input: the name of a file, or frames. frame_count: of a folder of images; 0: all of them.
  template <class Input>
  [[nodiscard]] ClipSource source(const Input& input, std::int64_t frame_count = 0) const {
    ClipLoading loading{.sampling = config_.sampling,
                        .counts = wanted_counts(config_.sampling, options_),
                        .decoding = decode_options(options_),
                        .keeping = frame_keeping()};
    loading.decoding.frame_count = frame_count;
    return source_of(input, loading);
  }

  /// Runs the network on one source.
  Recognition classify(ClipSource source, const std::string& name, const TensorDump* dump) {
    const std::unique_ptr<TensorDumpWriter> writer = writer_of(dump);
    const std::lock_guard lock(mutex_);
    VideoRun run({std::move(source)}, workers_, run_options(writer.get(), {}));
    auto [recognition, clips] = run.next().value().result.value_or_throw();
    if (const auto fault = fault_of_logits(name, recognition.logits, recognition.scores.size())) {
      throw Error(fault->message);
    }
    recognition.input = name;
    if (writer) write_dump(*writer, recognition, views_of(clips, config_.sampling));
    return std::move(recognition);
  }

  /// The same for views (views, 3, T, H, W) of a floating-point type.
  Recognition classify(const std::string& name, const ConstTensorView& views, const TensorDump* dump) {
    check_views(name, views);
    const std::unique_ptr<TensorDumpWriter> writer = writer_of(dump);
    const std::lock_guard lock(mutex_);
    return classify_views(name, views, state(), config_.head.average_clips, plan_options(writer.get()),
                          workers_.first(), batch_of(static_cast<int>(views.shape[0])), writer.get(),
                          options_.embeddings);
  }

  void classify_inputs(std::span<const VideoInput> inputs,
                       const std::function<void(Outcome&& outcome)>& on_outcome,
                       const std::function<void(const Progress& progress)>& on_progress) {
    std::vector<ClipSource> sources;
    sources.reserve(inputs.size());
    for (const VideoInput& input : inputs) {
      if (input.frames < 0) throw Error(input.name + ": its number of frames is negative.");
      sources.push_back(source(input.name, input.frames));
    }
    const std::lock_guard lock(mutex_);
    VideoRun run(std::move(sources), workers_, run_options(nullptr, on_progress));
    while (std::optional<VideoOutcome> ended = run.next()) {
      on_outcome(outcome_of(inputs[ended->video].name, std::move(*ended)));
    }
  }

 private:
  [[nodiscard]] const ModelState& state() const { return *model_.state_; }

  /// Views of so many that go through the network at once, unless asked for otherwise: one on a CPU, where
  /// more gain nothing; on other devices all that there are.
  [[nodiscard]] int batch_of(int views) const {
    if (options_.batch > 0) return std::min(options_.batch, views);
    return workers_.first().backend().uses_host_memory() ? 1 : views;
  }

  [[nodiscard]] FrameKeeping frame_keeping() const {
    ViewMaker* maker = workers_.first().view_maker();
    if (maker == nullptr) return {};
    return {.as_decoded = true, .allocate = [maker](std::size_t bytes) { return maker->host_memory(bytes); }};
  }

  /// Null for no dump.
  [[nodiscard]] std::unique_ptr<TensorDumpWriter> writer_of(const TensorDump* dump) const {
    if (dump == nullptr) return nullptr;
    return std::make_unique<TensorDumpWriter>(dump->path, dump->features, state().config());
  }
  /// dump: may be null. Its features come first.
  [[nodiscard]] PlanOptions plan_options(const TensorDumpWriter* dump) const {
    PlanOptions options{.precision = options_.precision};
    if (dump != nullptr) options.features = dump->features();
    if (options_.embeddings) options.features.emplace_back(pooled_feature);
    return options;
  }
  [[nodiscard]] VideoRun::Options run_options(
      TensorDumpWriter* dump, const std::function<void(const Progress& progress)>& on_progress) const {
    return {.model = &state(),
            .config = &config_,
            .plan = plan_options(dump),
            .batch = batch_of(counts_.clips * counts_.crops),
            .dump = dump,
            .embeddings = options_.embeddings,
            .on_progress = on_progress};
  }

  static Outcome outcome_of(const std::string& input, VideoOutcome ended) {
    Outcome outcome;
    outcome.index = ended.video;
    if (!ended.result) {
      outcome.error = ended.result.failure().message;
      return outcome;
    }
    Recognition& recognition = ended.result->recognition;
    if (const auto fault = fault_of_logits(input, recognition.logits, recognition.scores.size())) {
      outcome.error = fault->message;
      return outcome;
    }
    recognition.input = input;
    outcome.recognition = std::move(recognition);
    return outcome;
  }

  Model model_;
  RecognizerOptions options_;
  Config config_;  // the model's, but for what the options say
  ViewCounts counts_;
  std::mutex mutex_;  // one call at a time
  DeviceWorkers workers_;
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
  return impl_->classify(impl_->source(input), input, nullptr);
}

Recognition Recognizer::classify(const std::string& input, const TensorDump& dump) {
  return impl_->classify(impl_->source(input), input, &dump);
}

Recognition Recognizer::classify(const FrameSequence& frames) {
  Recognition recognition = impl_->classify(impl_->source(frames), "frames in memory", nullptr);
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
  return impl_->classify(name, {data, DType::f32, shape}, nullptr);
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
  return impl_->classify(path.string(), file.view(*entry), dump ? &*dump : nullptr);
}

void Recognizer::classify_all(std::span<const std::string> inputs,
                              const std::function<void(Outcome&& outcome)>& on_outcome,
                              const std::function<void(const Progress& progress)>& on_progress) {
  std::vector<VideoInput> videos;
  videos.reserve(inputs.size());
  for (const std::string& input : inputs) videos.push_back({input});
  impl_->classify_inputs(videos, on_outcome, on_progress);
}

void Recognizer::classify_inputs(std::span<const VideoInput> inputs,
                                 const std::function<void(Outcome&& outcome)>& on_outcome,
                                 const std::function<void(const Progress& progress)>& on_progress) {
  impl_->classify_inputs(inputs, on_outcome, on_progress);
}

}  // namespace tpn
