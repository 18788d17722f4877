#include "engine/finetuning/validator.h"

#include <numeric>
#include <span>
#include <utility>

#include "engine/networks/network.h"
#include "engine/plan/plan.h"

namespace tpn {
namespace {

class ClipValidator final : public Validator {
 public:
  ClipValidator(std::vector<Sample> samples, const FeatureWork& work)
      : work_(work), samples_(samples.size()), loader_(std::move(samples), work.clips, work.workers, 0) {}

  std::vector<ScoredClip> run(Candidate& candidate, const ValidationProgress& progress) override {
    const std::shared_ptr<const Weights> weights = Weights::load(candidate.file());
    const Config& config = weights->config();
    const InputSize size{work_.batch, config.view_frames(), work_.clips.crop_size, work_.clips.crop_size};
    Executor executor(std::make_shared<const Plan>(build_network(config, size), work_.backend, *weights,
                                                   PlanOptions{.precision = work_.precision}));
    const auto classes = static_cast<std::size_t>(config.head.num_classes);
    std::vector<std::size_t> order(samples_);
    std::iota(order.begin(), order.end(), std::size_t{0});
    loader_.start(std::move(order), 0);
    std::vector<ScoredClip> scored;
    for (std::size_t done = 0; done < samples_;) {
      if (progress.stop && progress.stop()) return {};
      std::vector<LoadedClip> clips;
      try {
        clips = loader_.next(executor.input());
      } catch (const SampleError& error) {
        work_.bad_sample(error);
        ++done;
        continue;
      }
      done += clips.size();
      executor.run();  // rows without a clip have what they had: rows do not depend on each other
      const std::vector<float> logits = executor.feature("logits").values;
      for (std::size_t row = 0; row < clips.size(); ++row) {
        scored.push_back(score_clip(clips[row].sample, clips[row].label,
                                    std::span(logits).subspan(row * classes, classes)));
      }
      if (progress.report) progress.report(done, samples_);
    }
    return scored;
  }

 private:
  FeatureWork work_;
  std::size_t samples_;
  TrainingLoader loader_;
};

class FeatureValidator final : public Validator {
 public:
  FeatureValidator(PooledFeatures features, const HeadConfig& head)
      : features_(std::move(features)), classes_(head.num_classes), channels_(head.in_channels) {}

  std::vector<ScoredClip> run(Candidate& candidate, const ValidationProgress& /*progress*/) override {
    const std::vector<float> weight = candidate.values("cls_head.fc_cls.weight", {classes_, channels_}),
                             bias = candidate.values("cls_head.fc_cls.bias", {classes_});
    std::vector<ScoredClip> scored;
    std::vector<float> logits(static_cast<std::size_t>(classes_));
    for (std::size_t i = 0; i < features_.samples(); ++i) {
      const PooledFeatures::Row& row = features_.row(i, 0);
      if (row.values.empty()) continue;
      for (std::size_t k = 0; k < logits.size(); ++k) {
        const auto begin = weight.begin() + static_cast<std::ptrdiff_t>(k * row.values.size());
        logits[k] = static_cast<float>(
            std::inner_product(row.values.begin(), row.values.end(), begin, static_cast<double>(bias[k])));
      }
      scored.push_back(score_clip(i, row.label, logits));
    }
    return scored;
  }

 private:
  PooledFeatures features_;
  std::int64_t classes_, channels_;
};

}  // namespace

std::unique_ptr<Validator> make_clip_validator(std::vector<Sample> samples, const FeatureWork& work) {
  return std::make_unique<ClipValidator>(std::move(samples), work);
}

std::unique_ptr<Validator> make_feature_validator(PooledFeatures features, const HeadConfig& head) {
  return std::make_unique<FeatureValidator>(std::move(features), head);
}

}  // namespace tpn
