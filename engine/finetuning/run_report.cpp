#include "engine/finetuning/run_report.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "engine/data/training_loader.h"
#include "engine/finetuning/judging.h"
#include "engine/finetuning/run_log.h"
#include "engine/model/weights.h"
#include "engine/video/jpeg_writer.h"
#include "kernels/precision_info.h"

namespace tpn {
namespace {

constexpr std::size_t most_hard_clips = 24;
constexpr int thumbnail_side = 160, thumbnail_quality = 80;

/// The middle frame of the first clip that `loader` has next, as a JPEG file.
std::vector<std::byte> middle_frame(TrainingLoader& loader, const SamplingConfig& sampling, int frames) {
  constexpr auto side = static_cast<std::size_t>(thumbnail_side);
  std::vector<float> view(static_cast<std::size_t>(frames) * side * side * 3);
  (void)loader.next({reinterpret_cast<std::byte*>(view.data()),
                     DType::f32,
                     {1, frames, thumbnail_side, thumbnail_side, 3}});
  const float* frame = view.data() + static_cast<std::size_t>(frames / 2) * side * side * 3;
  Image image({thumbnail_side, thumbnail_side});
  std::uint8_t* to = image.view().data;
  for (std::size_t i = 0; i < side * side * 3; ++i) {
    const double value = static_cast<double>(frame[i]) * sampling.std[i % 3] + sampling.mean[i % 3];
    to[i] = static_cast<std::uint8_t>(std::clamp(value + 0.5, 0.0, 255.0));
  }
  return encode_jpeg(std::as_const(image).view(), thumbnail_quality);
}

std::vector<ReportClip> hardest_clips(const std::vector<ScoredClip>& scored, const SampleList& list,
                                      const Recipe& recipe, const FinetuneSetup& setup,
                                      const Config& config) {
  std::vector<ScoredClip> hard(scored);
  std::ranges::sort(hard, [](const ScoredClip& a, const ScoredClip& b) { return a.loss > b.loss; });
  hard.resize(std::min(hard.size(), most_hard_clips));
  ClipOptions options{.sampling = config.sampling,
                      .augmentation = Augmentation::none,
                      .crop_size = thumbnail_side,
                      .short_side = thumbnail_side,
                      .ahead = 1,
                      .raw_frames = {.pattern = recipe.filename_template}};
  TrainingLoader loader(list.samples, options, std::min(setup.workers, 2), 0);
  std::vector<ReportClip> clips;
  for (const ScoredClip& clip : hard) {
    ReportClip& shown = clips.emplace_back();
    shown.name = list.samples[clip.sample].path.filename().string();
    shown.label = clip.label;
    shown.loss = clip.loss;
    for (const Guess& guess : clip.guesses) shown.guesses.push_back({guess.label, guess.score});
    try {
      loader.start({clip.sample}, 0);
      shown.thumbnail = middle_frame(loader, config.sampling, config.view_frames());
    } catch (const Error&) {
      shown.thumbnail.clear();
    }
  }
  return clips;
}

std::string counted(std::int64_t count, const std::string& one, const std::string& several) {
  return std::to_string(count) + " " + (count == 1 ? one : several);
}

/// "120 clips, 3x1 views of each".
std::string validation_text(const SampleList& list, const Recipe& recipe, const FinetuneSetup& setup,
                            const WorkFolder& folder) {
  const JudgingRules rules = judging_rules(recipe, Model::load(folder.last()), setup.recognizer);
  const std::string views = rules.clips * rules.crops == 1
                                ? "one view"
                                : std::to_string(rules.clips) + "x" + std::to_string(rules.crops) + " views";
  return counted(std::ssize(list.samples), "clip", "clips") + ", " + views + " of each";
}

}  // namespace

FinetuneReport report_of_run(const FinetuneData& data, const FinetuneSetup& setup, const WorkFolder& folder,
                             const FinetuneOutcome& outcome, const std::vector<std::string>& advice) {
  const RunState& state = outcome.state;
  const Recipe& recipe = state.recipe;
  const std::shared_ptr<const Weights> model = Weights::load(folder.last());
  const Config& config = model->config();

  FinetuneReport report;
  report.title = folder.path().filename().string();
  report.subtitle =
      "Fine-tuning of " + config.name + " to " + counted(config.head.num_classes, "class", "classes");
  report.facts = {
      {"Model", std::filesystem::path(recipe.model).filename().string()},
      {"Training", counted(std::ssize(data.train.samples), "clip", "clips")},
      {"Validation", data.validation ? validation_text(*data.validation, recipe, setup, folder) : "none"},
      {"Frozen", recipe_name(recipe.freeze)},
      {"Device", std::string(setup.backend->name())},
      {"Precision", std::string(name_of(recipe.precision))}};
  report.recipe = to_json(recipe);
  for (const std::string& sentence : advice) report.notes.push_back({true, sentence});
  if (!data.skipped.empty()) {
    report.notes.push_back({true, counted(std::ssize(data.skipped), "entry", "entries") +
                                      " left out of the data: see " + folder.skipped().filename().string() +
                                      "."});
  }

  report.loss_names = {"loss", "auxiliary"};
  double total_seconds = 0;
  for (const StepRecord& step : read_steps(folder.log())) {
    report.steps.push_back({step.step,
                            {step.loss, step.auxiliary_loss},
                            step.learning_rate,
                            step.gradient_norm,
                            step.data_seconds,
                            step.seconds});
    total_seconds += step.seconds;
  }
  report.facts.push_back({"Time of steps", std::to_string(std::llround(total_seconds)) + " s"});
  for (const EpochRecord& epoch : state.history) {
    ReportEpoch& shown = report.epochs.emplace_back();
    shown.epoch = epoch.epoch;
    shown.train_loss = epoch.loss;
    if (!epoch.validated) continue;
    shown.validation_loss = epoch.validation.loss;
    shown.top1 = epoch.validation.top1;
    shown.top5 = epoch.validation.top5;
    shown.mean_class_accuracy = epoch.validation.mean_class;
  }
  report.best_epoch = state.best_epoch;
  report.classes = model->labels();
  report.classes.resize(static_cast<std::size_t>(config.head.num_classes));
  report.train_samples = count_labels(labels_of(data.train), config.head.num_classes);
  if (outcome.best && data.validation) {
    report.confusion = outcome.best->confusion;
    report.hardest = hardest_clips(outcome.best->clips, *data.validation, recipe, setup, config);
  }
  return report;
}

}  // namespace tpn
