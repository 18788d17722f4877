#include "engine/finetuning/score.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "engine/report/class_rank.h"
#include "engine/report/class_scores.h"

namespace tpn {

ScoredClip score_clip(std::size_t sample, std::int64_t label, std::span<const float> logits) {
  constexpr std::size_t most_guesses = 5;
  const double largest = static_cast<double>(*std::ranges::max_element(logits));
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  const auto probability = [&](std::size_t k) {
    return std::exp(static_cast<double>(logits[k]) - largest) / sum;
  };

  std::vector<std::size_t> order(logits.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto better = [&](std::size_t a, std::size_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  };
  const std::size_t guesses = std::min(most_guesses, order.size());
  std::ranges::partial_sort(order, order.begin() + static_cast<std::ptrdiff_t>(guesses), better);

  const auto k = static_cast<std::size_t>(label);
  ScoredClip clip{.sample = sample,
                  .label = label,
                  .loss = largest + std::log(sum) - static_cast<double>(logits[k]),
                  .rank = rank_of(logits, label)};
  for (std::size_t i = 0; i < guesses; ++i) {
    clip.guesses.push_back({static_cast<std::int64_t>(order[i]), probability(order[i])});
  }
  return clip;
}

Validation summarize(std::vector<ScoredClip> clips, std::int64_t classes) {
  const auto k = static_cast<std::size_t>(classes);
  Validation result;
  result.confusion.resize(k * k);
  const auto count = static_cast<double>(clips.size());
  for (const ScoredClip& clip : clips) {
    result.accuracy.loss += clip.loss / count;
    result.accuracy.top1 += clip.rank < 1 ? 1 / count : 0;
    result.accuracy.top5 += clip.rank < 5 ? 1 / count : 0;
    ++result.confusion[static_cast<std::size_t>(clip.label) * k +
                       static_cast<std::size_t>(clip.guesses.front().label)];
  }
  double recalls = 0;
  int present = 0;
  for (const ClassScore& score : class_scores(result.confusion, k)) {
    if (score.samples + score.guesses == 0) continue;
    ++present;
    if (score.samples > 0) recalls += score.recall();
  }
  result.accuracy.mean_class = recalls / present;
  result.clips = std::move(clips);
  return result;
}

}  // namespace tpn
