#include "engine/finetuning/validator.h"

#include <numeric>
#include <span>
#include <utility>

#include "kernels/error.h"

namespace tpn {
namespace {

class ClipValidator final : public Validator {
 public:
  ClipValidator(std::vector<Sample> samples, const ClipWork& work)
      : work_(work), samples_(samples.size()), loader_(std::move(samples), work.clips, work.workers, 0) {}

 private:
  std::optional<std::vector<ScoredClip>> score(Candidate& candidate) override {
    const std::shared_ptr<const Weights> weights = Weights::load(candidate.file());
    ClipNetwork network(*weights, ClipNetwork::Result::logits, work_);
    const auto classes = static_cast<std::size_t>(weights->config().head.num_classes);
    std::vector<std::size_t> order(samples_);
    std::iota(order.begin(), order.end(), std::size_t{0});
    loader_.start(std::move(order), 0);
    std::vector<ScoredClip> scored;
    for (std::size_t done = 0; done < samples_;) {
      if (work_.stop()) return std::nullopt;
      const ClipBatch batch = network.run(loader_);
      for (std::size_t row = 0; row < batch.clips.size(); ++row) {
        scored.push_back(score_clip(batch.clips[row].sample, batch.clips[row].label,
                                    std::span(batch.results).subspan(row * classes, classes)));
      }
      done += batch.taken;
      work_.report(done, samples_);
    }
    return scored;
  }

  ClipWork work_;
  std::size_t samples_;
  TrainingLoader loader_;
};

class FeatureValidator final : public Validator {
 public:
  FeatureValidator(PooledFeatures features, const HeadConfig& head)
      : features_(std::move(features)), classes_(head.num_classes), channels_(head.in_channels) {}

 private:
  std::optional<std::vector<ScoredClip>> score(Candidate& candidate) override {
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

  PooledFeatures features_;
  std::int64_t classes_, channels_;
};

}  // namespace

std::optional<std::vector<ScoredClip>> Validator::run(Candidate& candidate) {
  std::optional<std::vector<ScoredClip>> scored = score(candidate);
  if (scored && scored->empty()) throw Error("None of the clips to judge by can be loaded.");
  return scored;
}

std::unique_ptr<Validator> make_clip_validator(std::vector<Sample> samples, const ClipWork& work) {
  return std::make_unique<ClipValidator>(std::move(samples), work);
}

std::unique_ptr<Validator> make_feature_validator(PooledFeatures features, const HeadConfig& head) {
  return std::make_unique<FeatureValidator>(std::move(features), head);
}

}  // namespace tpn
