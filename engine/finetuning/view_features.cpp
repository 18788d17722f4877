#include "engine/finetuning/view_features.h"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "kernels/digest.h"

namespace tpn {
namespace {

/// Of all that decides which views there are.
Digest digest_of(const JudgingRules& rules) {
  return Digest()
      .add_field("views")
      .add_field(rules.clips)
      .add_field(rules.crops)
      .add_field(rules.short_side)
      .add_field(rules.crop_size)
      .add_field(rules.options.frames);
}

}  // namespace

std::optional<PooledFeatures> view_features(const std::filesystem::path& model, const Weights& weights,
                                            const std::vector<Sample>& samples, const JudgingWork& work,
                                            const std::string& memory,
                                            const std::optional<FeatureCache>& cache, const RankOf& share) {
  const JudgingRules& rules = work.rules;
  const auto channels = static_cast<std::size_t>(weights.config().head.in_channels);
  const auto views = static_cast<std::size_t>(rules.clips) * static_cast<std::size_t>(rules.crops);
  PooledFeatures features(samples.size(), views);
  const FeatureFiles kept =
      cache ? FeatureFiles(*cache, rules.options.precision, memory, digest_of(rules)) : FeatureFiles();
  const auto file_of = [&](std::size_t sample) { return kept.file_of(samples[sample], Digest()); };
  const auto [first_own, end_of_own] = share.stretch(std::ssize(samples));
  std::vector<std::size_t> missing;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto file = file_of(i);
    if (file && FeatureFiles::read(*file, i, channels, features)) continue;
    const auto place = static_cast<std::int64_t>(i);
    if (place >= first_own && place < end_of_own) missing.push_back(i);
  }
  if (missing.empty()) return features;

  RecognizerOptions options = rules.options;
  options.embeddings = true;
  Recognizer recognizer(Model::load(model), options);
  const auto take = [&](std::size_t sample, Recognition&& recognition) {
    for (std::size_t v = 0; v < views; ++v) {
      const auto row = recognition.embeddings.begin() + static_cast<std::ptrdiff_t>(v * channels);
      features.row(sample, v) = {samples[sample].label,
                                 std::vector<float>(row, row + static_cast<std::ptrdiff_t>(channels))};
    }
    if (const auto file = file_of(sample)) FeatureFiles::write(*file, sample, features);
  };
  if (!recognize_samples(recognizer, samples, missing, work, take)) return std::nullopt;
  return features;
}

}  // namespace tpn
