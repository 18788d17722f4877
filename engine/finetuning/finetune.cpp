#include "engine/finetuning/finetune.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "engine/data/training_loader.h"
#include "engine/finetuning/advice.h"
#include "engine/finetuning/batch_source.h"
#include "engine/finetuning/candidate.h"
#include "engine/finetuning/checkpoint.h"
#include "engine/finetuning/class_weights.h"
#include "engine/finetuning/epoch_order.h"
#include "engine/finetuning/flip_labels.h"
#include "engine/finetuning/judging.h"
#include "engine/finetuning/pooled_features.h"
#include "engine/finetuning/run_log.h"
#include "engine/finetuning/schedule.h"
#include "engine/finetuning/validator.h"
#include "engine/finetuning/view_features.h"
#include "engine/model/output_file.h"
#include "engine/parallel/rank_share.h"
#include "engine/train/trainer.h"
#include "kernels/precision_info.h"
#include "kernels/stopwatch.h"

namespace tpn {
namespace {

/// Variants of each clip that features are computed of, where there is augmentation.
constexpr std::size_t light_variants = 4;
/// While an epoch lasts, the run is saved so often.
constexpr double seconds_between_saves = 600;
/// And after epochs not more often than that.
constexpr double least_seconds_between_saves = 20;
/// A step in f16 that overflows halves the loss scale; so many that do not double it.
constexpr double first_loss_scale = 65536;
constexpr std::int64_t steps_before_growth = 2000;

/// Side of a training clip's frames: mmaction2 trains with 224 what it tests with 256.
int training_crop(const Config& config) {
  return std::min(224, config.sampling.crop_size);
}

Augmentation augmentation(Augment augment) {
  switch (augment) {
    case Augment::automatic:
      break;
    case Augment::reference:
      return Augmentation::reference;
    case Augment::light:
      return Augmentation::light;
    case Augment::none:
      return Augmentation::none;
  }
  throw Error("The augmentation has not been decided.");
}

ClipOptions clip_options(const Recipe& recipe, const Config& config, const std::vector<std::string>& labels,
                         Augmentation augmentation, DType dtype) {
  FlipLabels flips = flip_labels(recipe.flip, labels);
  return {.sampling = config.sampling,
          .augmentation = augmentation,
          .least_area = recipe.crop_area == automatic_number ? std::nullopt : std::optional(recipe.crop_area),
          .crop_size = training_crop(config),
          .short_side = config.sampling.short_side,
          .flip = flips.mirrors,
          .flip_labels = std::move(flips.map),
          .seed = static_cast<std::uint64_t>(recipe.seed),
          .dtype = dtype,
          .ahead = static_cast<std::size_t>(2 * recipe.batch),
          .raw_frames = {.pattern = recipe.filename_template}};
}

TrainingOptions training_options(const Recipe& recipe) {
  const bool parallel = recipe.ranks > 1;
  TrainingOptions options{.form = {.dropout = {},
                                   .frozen = frozen_modules(recipe.freeze),
                                   .batch_statistics = recipe.bn == NormMode::train,
                                   .from_pooled = learns_classifier_only(recipe)},
                          .label_smoothing = recipe.label_smoothing,
                          .class_weights = recipe.class_weights != "none",
                          .momentum = recipe.momentum,
                          .weight_decay = recipe.weight_decay,
                          .max_norm = recipe.clip_grad,
                          .average_decay = recipe.ema,
                          .batches = recipe.accumulate,
                          .ranks = parallel ? recipe.ranks : 1,
                          .synchronized = parallel && recipe.sync_bn && recipe.bn == NormMode::train};
  if (recipe.dropout != automatic_number) options.form.dropout = recipe.dropout;
  return options;
}

InputSize batch_size(const Recipe& recipe, const Config& config, std::int64_t clips) {
  const int side = training_crop(config);
  return {std::min<std::int64_t>(recipe.batch, clips), config.view_frames(), side, side};
}

/// Of the second step, with clips, labels and parameters of zeros: a step takes as long whatever they are.
double seconds_of_step(const std::shared_ptr<const Plan>& step,
                       const std::shared_ptr<ParameterStore>& store) {
  Executor executor(step, store);
  double seconds = 0;
  for (int i = 0; i < 2; ++i) {
    for (const auto& [name, slot] : step->inputs()) {
      const TensorView input = executor.input(name);
      std::memset(input.data, 0, static_cast<std::size_t>(input.shape.count()) * size_of(input.dtype));
    }
    const Stopwatch watch;
    executor.run();
    seconds = watch.seconds();
  }
  return seconds;
}

InitialWeights initial_weights(const FinetuneSetup& setup) {
  InitialWeights initial{.model = Weights::load(setup.model)};
  if (setup.initial) initial.preferred = Weights::load(*setup.initial);
  return initial;
}

/// What a process has seen of the clips of an update.
struct Tally {
  double learned = 0, correct = 0, loss = 0;  ///< clips, those guessed right, and the sum of their losses
};

/// A run that is under way.
class Run {
 public:
  Run(const FinetuneData& data, const FinetuneSetup& setup, const WorkFolder& folder,
      const FinetuneObserver& observer)
      : data_(data),
        setup_(setup),
        folder_(folder),
        observer_(observer),
        start_(Weights::load(folder.last())),
        state_(run_state_of(*start_, folder.last().string())),
        recipe_(state_.recipe),
        classes_(start_->config().head.num_classes),
        labels_(labels_of(data.train)) {
    recipe_.ranks = std::max(recipe_.ranks, 1);  // of runs before there could be several
    recipe_ = for_processes(recipe_, setup);
    training_ = training_options(recipe_);
    if (setup.communicator) own_ = {setup.communicator->rank(), setup.communicator->size()};
    if (state_.data_digest != data.digest()) {
      throw OptionError("The data is not that with which the run in " + folder.path().string() +
                        " began: its lists, or files that could not be read, have changed.");
    }
  }

  FinetuneOutcome go() {
    if (!prepare()) return stopped();
    while (!state_.finished) {
      if (!train_epoch()) {
        save();
        return stopped();
      }
      if (!finish_epoch()) return stopped();  // saved before the validation
    }
    if (setup_.leads() && state_.best_epoch > 0 && !best_ && !judge_again()) return stopped();
    return {
        .end = state_.epochs < recipe_.epochs ? FinetuneOutcome::End::early : FinetuneOutcome::End::finished,
        .state = state_,
        .best = std::move(best_)};
  }

 private:
  [[nodiscard]] FinetuneOutcome stopped() const {
    return {.end = FinetuneOutcome::End::stopped, .state = state_, .best = {}};
  }

  /// Whether that is so for any process.
  [[nodiscard]] bool anywhere(bool here) const {
    return setup_.communicator ? any_rank(*setup_.communicator, here) : here;
  }

  [[nodiscard]] ClipWork work(Augmentation augmentation, const std::string& what) const {
    return {.backend = setup_.backend,
            .precision = recipe_.precision,
            .batch = std::min<std::int64_t>(recipe_.batch, std::ssize(labels_)),
            .clips = clip_options(recipe_, start_->config(), start_->labels(), augmentation,
                                  storage_type(recipe_.precision)),
            .workers = setup_.workers,
            .bad_sample = [this](const SampleError& error) { leave_out(error); },
            .stop = observer_.stop,
            .report = progress(what)};
  }

  [[nodiscard]] JudgingWork judging(const std::string& what) const {
    return {.rules = judging_rules(recipe_, Model::load(folder_.last()), setup_.recognizer),
            .bad_sample = [this](const SampleError& error) { leave_out(error); },
            .warn =
                [this](const std::string& sentence) {
                  if (warned_.insert(sentence).second) observer_.note("warning: " + sentence);
                },
            .stop = observer_.stop,
            .report = progress(what)};
  }
  /// what: is done with the clips, for the progress line.
  [[nodiscard]] std::function<void(std::size_t, std::size_t)> progress(const std::string& what) const {
    return [this, what](std::size_t done, std::size_t of) {
      observer_.progress(what + ": " + std::to_string(done) + "/" + std::to_string(of));
    };
  }

  /// What the check of the data cannot see: damage further on in a file. Where such clips are not to be
  /// skipped it ends the run.
  void leave_out(const SampleError& error) const {
    if (!recipe_.skip_bad) throw error;
    observer_.note(std::string("left out: ") + error.what());
  }

  /// Features of all samples, which compute(share) computes or finds in the cache; none when the run is to
  /// end.
  template <class Compute>
  std::optional<PooledFeatures> features(const Compute& compute) const {
    if (own_.ranks > 1 && cache_) {  // each computes some of them; all find them in the cache
      const std::optional<PooledFeatures> some = compute(own_);
      if (anywhere(!some)) return std::nullopt;
    }
    std::optional<PooledFeatures> all = compute(RankOf{});
    if (anywhere(!all)) return std::nullopt;
    return all;
  }
  [[nodiscard]] std::optional<PooledFeatures> training_features() const {
    const Augmentation augment = augmentation(recipe_.augment);
    const ClipWork clips = work(augment, "features of the training clips");
    const std::size_t variants = augment == Augmentation::none ? 1 : light_variants;
    return features([&](const RankOf& share) {
      return pooled_features(*start_, data_.train.samples, variants, clips, cache_, share);
    });
  }
  [[nodiscard]] std::optional<PooledFeatures> validation_features(const JudgingWork& work) const {
    return features([&](const RankOf& share) {
      return view_features(folder_.last(), *start_, data_.validation->samples, work,
                           setup_.backend->memory_name(), cache_, share);
    });
  }

  /// Makes what the run needs; false when it is to end.
  bool prepare() {
    trainer_ = std::make_unique<Trainer>(
        start_->config(), batch_size(recipe_, start_->config(), std::ssize(labels_)), training_,
        setup_.backend, PlanOptions{.precision = recipe_.precision}, *start_, setup_.communicator,
        setup_.collectives);
    restore(*start_, state_, *trainer_);
    class_weights_ = class_weights(recipe_.class_weights, labels_, classes_);
    if (!state_.finished && setup_.leads()) log_.emplace(folder_, state_.steps);

    if (learns_classifier_only(recipe_)) {
      if (setup_.feature_cache) cache_.emplace(*setup_.feature_cache, *start_);
      auto train = training_features();
      if (!train) return false;
      source_ = std::make_unique<FeatureSource>(std::move(*train));
      if (!data_.validation) return true;
      const JudgingWork work = judging("features of the validation clips");
      auto validation = validation_features(work);
      if (!validation) return false;
      validator_ = make_feature_validator(std::move(*validation), start_->config(), work.rules.average,
                                          setup_.backend);
      return true;
    }
    constexpr std::int64_t megabyte = 1 << 20;
    const ClipWork training = work(augmentation(recipe_.augment), "");
    loader_ = std::make_unique<TrainingLoader>(data_.train.samples, training.clips, setup_.workers,
                                               recipe_.cache_mb * megabyte);
    source_ = std::make_unique<ClipSource>(*loader_, training.bad_sample);
    if (data_.validation) {
      validator_ = make_video_validator(data_.validation->samples, judging("validating"));
    }
    return true;
  }

  /// What is left of the epoch under way; false when the run is to end.
  bool train_epoch() {
    const std::vector<std::size_t> order = epoch_order(recipe_, labels_, classes_, state_.epochs);
    start_source(order);
    while (state_.clips < std::ssize(order)) {
      if (anywhere(observer_.stop())) return false;
      learn(order);
      if (saved_.seconds() > seconds_between_saves) save();
    }
    return true;
  }

  /// The clips that this process has of what is left of the epoch: it takes turns with the others, which have
  /// as many in every batch but the last.
  void start_source(const std::vector<std::size_t>& order) {
    source_->start(order, state_.epochs,
                   {.first = static_cast<std::size_t>(state_.clips + own_.rank),
                    .stride = static_cast<std::size_t>(own_.ranks)});
  }

  /// The next update, by its batches.
  void learn(const std::vector<std::size_t>& order) {
    const auto clips = static_cast<std::int64_t>(order.size());
    const std::int64_t count = std::min(update_clips(recipe_), clips - state_.clips);
    const bool grouped = training_.grouped();
    const Stopwatch watch;
    const double waited = source_->waited_seconds();
    const StepOptions options{
        .learning_rate = rate_at(state_.clips), .loss_scale = state_.loss_scale, .seed = recipe_.seed};
    Tally tally;
    StepResult result;
    for_each_batch(count, [&](const std::vector<LoadedClip>& batch, bool last) {
      const std::vector<std::int64_t> labels = labels_in(batch);
      if (grouped) {
        result = trainer_->add(labels, options, last, class_weights_);
      } else if (!batch.empty()) {
        result = trainer_->step(labels, options, class_weights_);
      }
      if (!std::isfinite(result.loss)) fail_not_finite(order, count, options);
      count_in(tally, labels, result);
    });
    if (grouped) result = trainer_->update(options);
    if (setup_.communicator) {
      std::array<double, 3> sums{tally.learned, tally.correct, tally.loss};
      setup_.communicator->sum(sums);
      tally = {sums[0], sums[1], sums[2]};
    }
    if (tally.learned > 0) {
      if (!std::isfinite(result.gradient_norm) && recipe_.precision != Precision::f16) {
        fail_not_finite(order, count, options);
      }
      scale_losses(std::isfinite(result.gradient_norm));
    }
    state_.clips += count;
    if (tally.learned == 0) return;
    state_.correct += static_cast<std::int64_t>(tally.correct);
    state_.loss_sum += tally.loss;
    state_.learned += static_cast<std::int64_t>(tally.learned);
    ++state_.steps;
    const StepRecord record{.step = state_.steps,
                            .epoch = state_.epochs + 1,
                            .clips = state_.clips,
                            .loss = result.loss,
                            .auxiliary_loss = result.auxiliary_loss,
                            .learning_rate = options.learning_rate,
                            .gradient_norm = result.gradient_norm,
                            .data_seconds = source_->waited_seconds() - waited,
                            .seconds = watch.seconds()};
    if (log_) log_->add(record);
    observer_.step(record, clips);
  }

  /// Calls body(clips, whether they are the last) for this process's batches of the next `count` clips; some
  /// may be without clips. All processes have as many batches.
  template <class Body>
  void for_each_batch(std::int64_t count, const Body& body) {
    const std::int64_t together = std::int64_t{recipe_.batch} * own_.ranks;
    for (std::int64_t first = 0; first < count; first += together) {
      const std::int64_t clips = own_.turns(std::min(together, count - first));
      body(clips > 0 ? source_->next(*trainer_, clips) : std::vector<LoadedClip>{},
           first + together >= count);
    }
  }

  static std::vector<std::int64_t> labels_in(const std::vector<LoadedClip>& batch) {
    std::vector<std::int64_t> labels;
    labels.reserve(batch.size());
    for (const LoadedClip& clip : batch) labels.push_back(clip.label);
    return labels;
  }

  void count_in(Tally& tally, std::span<const std::int64_t> labels, const StepResult& result) const {
    const auto classes = static_cast<std::size_t>(classes_);
    for (std::size_t row = 0; row < labels.size(); ++row) {
      const auto logits = std::span(result.logits).subspan(row * classes, classes);
      tally.correct += std::ranges::max_element(logits) - logits.begin() == labels[row] ? 1 : 0;
    }
    tally.loss += result.loss * static_cast<double>(labels.size());
    tally.learned += static_cast<double>(labels.size());
  }

  /// The learning rate of the step that begins with that clip of the epoch.
  [[nodiscard]] double rate_at(std::int64_t clip) const {
    const double share = static_cast<double>(clip) / static_cast<double>(labels_.size());
    return learning_rate(recipe_, static_cast<double>(state_.epochs) + share);
  }

  /// count: clips of the update. Of its batches the first with a tensor that is not finite is named, or this
  /// process's all.
  [[noreturn]] void fail_not_finite(const std::vector<std::size_t>& order, std::int64_t count,
                                    const StepOptions& options) {
    // A step overwrites its views: the same clips are loaded anew, into parameters as they are since. Steps
    // with exchanges cannot be run by one process alone.
    const bool searched = !training_.synchronized;
    std::optional<std::string> tensor;
    std::string clips;
    start_source(order);
    for_each_batch(count, [&](const std::vector<LoadedClip>& batch, bool) {
      if (tensor || batch.empty()) return;
      if (searched) tensor = trainer_->first_not_finite(labels_in(batch), options, class_weights_);
      if (tensor) clips.clear();
      for (const LoadedClip& clip : batch) {
        clips += (clips.empty() ? "" : ", ") + data_.train.samples[clip.sample].path.string();
      }
    });
    throw Error("Step " + std::to_string(state_.steps + 1) + " (epoch " + std::to_string(state_.epochs + 1) +
                ") has a loss or gradient that is not finite" +
                (tensor ? "; '" + *tensor + "' is the first tensor that is not" : "") + ". Its clips: " +
                clips + ". A lower learning rate may help; " + folder_.last().string() + " is from before.");
  }

  void scale_losses(bool finite) {
    if (recipe_.precision != Precision::f16) return;
    if (!finite) {
      state_.loss_scale /= 2;
      state_.steps_at_scale = 0;
    } else if (++state_.steps_at_scale == steps_before_growth) {
      state_.loss_scale *= 2;
      state_.steps_at_scale = 0;
    }
  }

  /// Validates and keeps the model; false when the run is to end before that is done. What has become of the
  /// run the others are told.
  bool finish_epoch() {
    if (!setup_.communicator) return close_epoch();
    std::string state;
    if (setup_.leads() && close_epoch()) state = to_json(state_);
    state = broadcast(*setup_.communicator, std::move(state));
    if (state.empty()) return false;
    if (!setup_.leads()) state_ = parse_run_state(state, "rank 0");
    return true;
  }

  bool close_epoch() {
    const auto clips = std::ssize(labels_);
    if (state_.learned == 0) throw Error("None of the clips to learn from can be loaded.");
    const auto learned = static_cast<double>(state_.learned);
    const std::int64_t last_step = (clips - 1) / update_clips(recipe_) * update_clips(recipe_);  // its first
    EpochRecord record{.epoch = state_.epochs + 1,
                       .loss = state_.loss_sum / learned,
                       .top1 = static_cast<double>(state_.correct) / learned,
                       .learning_rate = rate_at(last_step)};
    const bool last = record.epoch == recipe_.epochs;
    Candidate candidate(*start_, *trainer_, folder_.candidate());
    if (validator_ && (last || record.epoch % recipe_.val_every == 0)) {
      auto scored = validator_->run(candidate);
      if (!scored) {
        save();
        std::filesystem::remove(folder_.candidate());
        return false;
      }
      judge(record, summarize(std::move(*scored), classes_), candidate);
    }
    if (recipe_.keep > 0) keep(candidate, record.epoch);
    if (!validator_ && last) candidate.keep_as(folder_.model());
    std::filesystem::remove(folder_.candidate());

    ++state_.epochs;
    state_.clips = state_.learned = state_.correct = 0;
    state_.loss_sum = 0;
    state_.history.push_back(record);
    state_.finished = last || (recipe_.early_stop > 0 && state_.worse_validations >= recipe_.early_stop);
    log_->add(record, state_.steps);
    observer_.epoch(record);
    if (state_.finished || saved_.seconds() > least_seconds_between_saves) save();
    return true;
  }

  void judge(EpochRecord& record, Validation validation, Candidate& candidate) {
    record.validated = true;
    record.validation = validation.accuracy;
    if (is_better(record.validation)) {
      candidate.keep_as(folder_.model());
      state_.best_epoch = record.epoch;
      state_.worse_validations = 0;
      best_ = std::move(validation);
    } else {
      ++state_.worse_validations;
    }
  }

  /// What was found of the best model, before this run went on; false when the run is to end.
  bool judge_again() {
    const std::shared_ptr<const Weights> model = Weights::load(folder_.model());
    Candidate candidate(*model, folder_.model());
    auto scored = validator_->run(candidate);
    if (scored) best_ = summarize(std::move(*scored), classes_);
    return scored.has_value();
  }

  [[nodiscard]] bool is_better(const Accuracy& accuracy) const {
    if (state_.best_epoch == 0) return true;
    const Accuracy& best = state_.history.at(static_cast<std::size_t>(state_.best_epoch - 1)).validation;
    return std::pair(accuracy.top1, -accuracy.loss) > std::pair(best.top1, -best.loss);
  }

  void keep(Candidate& candidate, std::int64_t epoch) {
    const std::filesystem::path path = folder_.of_epoch(epoch);
    if (state_.best_epoch == epoch) {
      std::filesystem::copy_file(folder_.model(), path, std::filesystem::copy_options::overwrite_existing);
    } else {
      candidate.keep_as(path);
    }
    std::filesystem::remove(folder_.of_epoch(epoch - recipe_.keep));
  }

  void save() {
    if (!setup_.leads()) return;
    write_checkpoint(*start_, *trainer_, state_, folder_.last());
    saved_ = Stopwatch();
  }

  const FinetuneData& data_;
  const FinetuneSetup& setup_;
  const WorkFolder& folder_;
  const FinetuneObserver& observer_;
  std::shared_ptr<const Weights> start_;
  RunState state_;
  Recipe recipe_;
  TrainingOptions training_;
  std::int64_t classes_;
  std::vector<std::int64_t> labels_;
  RankOf own_;  ///< this process among all
  std::unique_ptr<Trainer> trainer_;
  std::vector<float> class_weights_;
  std::optional<RunLog> log_;  ///< of the process that leads
  std::optional<FeatureCache> cache_;
  std::unique_ptr<TrainingLoader> loader_;
  std::unique_ptr<BatchSource> source_;
  std::unique_ptr<Validator> validator_;
  mutable std::set<std::string> warned_;  ///< of clips to judge by, which are looked at again and again
  std::optional<Validation> best_;
  Stopwatch saved_;
};

}  // namespace

Recipe for_processes(Recipe recipe, const FinetuneSetup& setup) {
  const int ranks = setup.ranks();
  if (recipe.ranks != 0 && recipe.ranks != ranks) {
    throw OptionError("The recipe is for " + std::to_string(recipe.ranks) + " processes, and there " +
                      (ranks == 1 ? "is 1" : "are " + std::to_string(ranks)) +
                      ", with which the result would be another: start it by mpirun -n " +
                      std::to_string(recipe.ranks) + ".");
  }
  recipe.ranks = ranks;
  return recipe;
}

FinetunePlan plan_finetune(const Recipe& asked, const FinetuneData& data, const FinetuneSetup& setup,
                           bool measure) {
  const Recipe given = for_processes(asked, setup);
  const auto clips = static_cast<std::int64_t>(data.train.samples.size());
  const InitialWeights initial = initial_weights(setup);
  FinetunePlan plan{.recipe = {},
                    .advice = {},
                    .classifier = change_of_classifier(initial, data.classes, data.labels()),
                    .train_clips = {},
                    .validation_clips = {},
                    .steps_per_epoch = (clips + update_clips(given) - 1) / update_clips(given)};
  const Config& config = plan.classifier.config;
  const std::vector<ParameterSpec> specs = parameter_specs(config);
  /// Elements of the parameters for which that is so.
  const auto elements = [&](const auto& counts) {
    std::int64_t sum = 0;
    for (const ParameterSpec& spec : specs) sum += !spec.is_buffer() && counts(spec) ? spec.shape.count() : 0;
    return sum;
  };
  plan.parameters = elements([](const ParameterSpec&) { return true; });
  plan.initial_parameters =
      elements([&](const ParameterSpec& spec) { return &initial.of(spec) == initial.preferred.get(); });
  if (initial.preferred != nullptr && plan.initial_parameters == 0) {
    throw OptionError(setup.initial->string() + " has no parameter in the shape that " +
                      setup.model.string() + " needs.");
  }
  plan.recipe = resolved(given, clips, plan.parameters);
  const std::int64_t classes = config.head.num_classes;
  plan.train_clips = count_labels(labels_of(data.train), classes);
  if (data.validation) {
    plan.validation_clips = count_labels(labels_of(*data.validation), classes);
    const JudgingRules rules = judging_rules(plan.recipe, Model::load(setup.model), setup.recognizer);
    plan.validation_views = rules.clips * rules.crops;
  }
  // Both fit the classes.
  (void)class_weights(plan.recipe.class_weights, labels_of(data.train), classes);
  (void)flip_labels(plan.recipe.flip, data.labels());
  plan.advice = advice(plan.recipe, given, data, plan.parameters);
  const TrainingForm form = training_options(plan.recipe).form;
  plan.learned_parameters = elements([&](const ParameterSpec& spec) {
    return !form.freezes(spec.name) && !(form.from_pooled && spec.training_only);
  });
  if (!measure) return plan;

  TrainingOptions options = training_options(plan.recipe);
  options.synchronized = false;  // which takes as much, and other processes
  const Graph graph = build_training_graph(config, batch_size(plan.recipe, config, clips), options);
  const auto plan_of = [&](const Graph& steps) {
    return std::make_shared<const Plan>(steps, setup.backend,
                                        PlanOptions{.precision = plan.recipe.precision});
  };
  const std::shared_ptr<const Plan> step = plan_of(graph),
                                    update = options.grouped() ? plan_of(build_update_graph(graph, options))
                                                               : nullptr;
  const auto store = std::make_shared<ParameterStore>(setup.backend, persistent_tensors(*step, update.get()));
  plan.step_memory = step->arena_bytes();
  plan.weight_memory = store->bytes();
  plan.step_seconds = seconds_of_step(step, store);
  return plan;
}

void begin_finetune(const FinetunePlan& plan, const FinetuneData& data, const FinetuneSetup& setup,
                    const WorkFolder& folder) {
  if (std::filesystem::exists(folder.last())) {
    throw OptionError(folder.path().string() +
                      " already has a run: go on with it by --resume, or choose another --work-dir.");
  }
  OutputFile recipe(folder.recipe());
  recipe.write(to_json(plan.recipe) + "\n");
  recipe.commit();
  if (!data.skipped.empty()) {
    OutputFile skipped(folder.skipped());
    for (const std::string& sentence : data.skipped) skipped.write(sentence + "\n");
    skipped.commit();
  }
  RunState state{.recipe = plan.recipe, .data_digest = data.digest()};
  if (plan.recipe.precision == Precision::f16) state.loss_scale = first_loss_scale;
  write_first_checkpoint(initial_weights(setup), plan.classifier, state, folder.last());
}

Recipe recipe_of_run(const WorkFolder& folder) {
  if (!std::filesystem::exists(folder.last())) {
    throw OptionError(folder.path().string() + " has no run that could go on: there is no last.safetensors.");
  }
  return run_state_of(*Weights::load(folder.last()), folder.last().string()).recipe;
}

FinetuneOutcome finetune(const FinetuneData& data, const FinetuneSetup& setup, const WorkFolder& folder,
                         const FinetuneObserver& observer) {
  return Run(data, setup, folder, observer).go();
}

}  // namespace tpn
