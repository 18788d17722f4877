#include "engine/finetuning/validator.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "engine/exec/executor.h"
#include "engine/networks/network.h"
#include "engine/plan/plan.h"
#include "kernels/error.h"

namespace tpn {
namespace {

class VideoValidator final : public Validator {
 public:
  VideoValidator(std::vector<Sample> samples, const JudgingWork& work)
      : work_(work), samples_(std::move(samples)), all_(samples_.size()) {
    std::iota(all_.begin(), all_.end(), std::size_t{0});
  }

 private:
  std::optional<std::vector<ScoredClip>> score(Candidate& candidate) override {
    Recognizer recognizer(Model::load(candidate.file()), work_.rules.options);
    const int classes = recognizer.model().classes();
    std::vector<ScoredClip> scored;
    const auto take = [&](std::size_t sample, Recognition&& recognition) {
      scored.push_back(
          score_views(sample, samples_[sample].label, recognition.logits, classes, work_.rules.average));
    };
    if (!recognize_samples(recognizer, samples_, all_, work_, take)) return std::nullopt;
    return scored;
  }

  JudgingWork work_;
  std::vector<Sample> samples_;
  std::vector<std::size_t> all_;
};

class FeatureValidator final : public Validator {
 public:
  FeatureValidator(PooledFeatures features, const Config& config, std::string average,
                   const std::shared_ptr<const Backend>& backend)
      : features_(std::move(features)),
        head_(config.head),
        average_(std::move(average)),
        plan_(std::make_shared<const Plan>(build_classifier(config, views()), backend, PlanOptions{})),
        parameters_(std::make_shared<ParameterStore>(backend, plan_->persistent())),
        classifier_(plan_, parameters_) {}

 private:
  [[nodiscard]] std::int64_t views() const { return static_cast<std::int64_t>(features_.variants()); }

  std::optional<std::vector<ScoredClip>> score(Candidate& candidate) override {
    for (const PersistentTensor& tensor : plan_->persistent()) {
      const std::vector<float> values = candidate.values(tensor.name, tensor.spec.shape);
      parameters_->write(tensor.name,
                         {reinterpret_cast<const std::byte*>(values.data()), DType::f32, tensor.spec.shape});
    }
    std::vector<ScoredClip> scored;
    for (std::size_t i = 0; i < features_.samples(); ++i) {
      if (!features_.has(i)) continue;
      auto* to = reinterpret_cast<float*>(classifier_.input().data);  // (views,C)
      for (std::size_t v = 0; v < features_.variants(); ++v) {
        to = std::ranges::copy(features_.row(i, v).values, to).out;
      }
      classifier_.run();
      scored.push_back(score_views(i, features_.row(i, 0).label, classifier_.feature("logits").values,
                                   head_.num_classes, average_));
    }
    return scored;
  }

  PooledFeatures features_;
  HeadConfig head_;
  std::string average_;
  std::shared_ptr<const Plan> plan_;
  std::shared_ptr<ParameterStore> parameters_;
  Executor classifier_;
};

}  // namespace

std::optional<std::vector<ScoredClip>> Validator::run(Candidate& candidate) {
  std::optional<std::vector<ScoredClip>> scored = score(candidate);
  if (scored && scored->empty()) throw Error("None of the clips to judge by can be loaded.");
  return scored;
}

std::unique_ptr<Validator> make_video_validator(std::vector<Sample> samples, const JudgingWork& work) {
  return std::make_unique<VideoValidator>(std::move(samples), work);
}

std::unique_ptr<Validator> make_feature_validator(PooledFeatures features, const Config& config,
                                                  const std::string& average,
                                                  const std::shared_ptr<const Backend>& backend) {
  return std::make_unique<FeatureValidator>(std::move(features), config, average, backend);
}

}  // namespace tpn
