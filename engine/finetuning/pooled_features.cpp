#include "engine/finetuning/pooled_features.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "kernels/digest.h"

namespace tpn {
namespace {

/// Of all that decides what clips are made, but for the sample.
Digest digest_of(const ClipOptions& clips) {
  return Digest()
      .add_field(static_cast<int>(clips.augmentation))
      .add_field(std::to_string(clips.least_crop_area()))
      .add_field(clips.crop_size)
      .add_field(clips.short_side);
}

/// Of what is drawn for a sample at that place of the list.
Digest digest_of_draws(const ClipOptions& clips, std::size_t position, std::size_t variants) {
  Digest digest;
  digest.add_field(static_cast<std::int64_t>(variants));
  if (clips.augmentation == Augmentation::none) return digest;
  digest.add_field(static_cast<std::int64_t>(clips.seed)).add_field(static_cast<std::int64_t>(position));
  digest.add_field(static_cast<int>(clips.flip));
  for (const auto& [from, to] : clips.flip_labels) digest.add_field(from).add_field(to);
  return digest;
}

/// Stretches of samples that are not known, each no longer than `most`: [first, second).
std::vector<std::pair<std::size_t, std::size_t>> missing_stretches(const std::vector<bool>& known,
                                                                   std::size_t most) {
  std::vector<std::pair<std::size_t, std::size_t>> stretches;
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (known[i]) continue;
    if (stretches.empty() || stretches.back().second != i || i - stretches.back().first == most) {
      stretches.emplace_back(i, i);
    }
    stretches.back().second = i + 1;
  }
  return stretches;
}

}  // namespace

bool PooledFeatures::has(std::size_t sample) const {
  for (std::size_t v = 0; v < variants_; ++v) {
    if (row(sample, v).values.empty()) return false;
  }
  return true;
}

std::optional<PooledFeatures> pooled_features(const Weights& weights, const std::vector<Sample>& samples,
                                              std::size_t variants, const ClipWork& work,
                                              const std::optional<FeatureCache>& cache, const RankOf& share) {
  const auto channels = static_cast<std::size_t>(weights.config().head.in_channels);
  PooledFeatures features(samples.size(), variants);
  std::vector<std::optional<std::filesystem::path>> files(samples.size());
  std::vector<bool> known(samples.size());
  if (cache) {
    const FeatureFiles kept(*cache, work.precision, work.backend->memory_name(), digest_of(work.clips));
    for (std::size_t i = 0; i < samples.size(); ++i) {
      files[i] = kept.file_of(samples[i], digest_of_draws(work.clips, i, variants));
      known[i] = files[i] && FeatureFiles::read(*files[i], i, channels, features);
    }
  }
  const auto [first_own, end_of_own] = share.stretch(std::ssize(samples));
  std::fill(known.begin(), known.begin() + first_own, true);
  std::fill(known.begin() + end_of_own, known.end(), true);
  const auto missing = static_cast<std::size_t>(std::ranges::count(known, false));
  if (missing == 0) return features;

  TrainingLoader loader(samples, work.clips, work.workers, 0);
  ClipNetwork network(weights, work);
  std::size_t done = 0;
  // After each stretch its features are kept, so that an interruption loses little.
  const std::size_t stretch = std::max<std::size_t>(64, 8 * static_cast<std::size_t>(work.batch));
  for (const auto& [first, end] : missing_stretches(known, stretch)) {
    std::vector<std::size_t> order(end);  // a sample's position, by which is drawn, is its index
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t variant = 0; variant < variants; ++variant) {
      loader.start(order, static_cast<std::int64_t>(variant), {.first = first, .stride = 1});
      for (std::size_t at = first; at < end;) {
        if (work.stop()) return std::nullopt;
        const ClipBatch batch = network.run(loader);
        for (std::size_t row = 0; row < batch.clips.size(); ++row) {
          const auto begin = batch.results.begin() + static_cast<std::ptrdiff_t>(row * channels);
          features.row(batch.clips[row].sample, variant) = {
              batch.clips[row].label,
              std::vector<float>(begin, begin + static_cast<std::ptrdiff_t>(channels))};
        }
        at += batch.taken;
        done += batch.taken;
        work.report(done, missing * variants);
      }
    }
    for (std::size_t i = first; i < end; ++i) {
      if (files[i] && features.has(i)) FeatureFiles::write(*files[i], i, features);
    }
  }
  return features;
}

void FeatureSource::start(const std::vector<std::size_t>& order, std::int64_t epoch,
                          const OrderShare& share) {
  order_ = order;
  share_ = share;
  variant_ = static_cast<std::size_t>(epoch) % features_.variants();
}

std::vector<LoadedClip> FeatureSource::next(Trainer& trainer, std::int64_t count) {
  std::vector<LoadedClip> clips;
  for (; count > 0; --count, share_.first += share_.stride) {
    const PooledFeatures::Row& row = features_.row(order_.at(share_.first), variant_);
    if (!row.values.empty()) clips.push_back({.sample = order_[share_.first], .label = row.label});
  }
  if (clips.empty()) return clips;
  auto* to = reinterpret_cast<float*>(trainer.views(std::ssize(clips)).data);
  for (const LoadedClip& clip : clips)
    to = std::ranges::copy(features_.row(clip.sample, variant_).values, to).out;
  return clips;
}

}  // namespace tpn
