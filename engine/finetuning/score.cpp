#include "engine/finetuning/score.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "engine/recognize/consensus.h"
#include "engine/report/class_rank.h"
#include "engine/report/class_scores.h"

namespace tpn {
namespace {

/// log(sum(exp(values))), of one or more.
double log_sum_exp(std::span<const double> values) {
  const double largest = *std::ranges::max_element(values);
  double sum = 0;
  for (const double value : values) sum += std::exp(value - largest);
  return largest + std::log(sum);
}

/// The logarithm of the mean over the views of a class's softmax. Of logarithms, so that it is finite where
/// the probability itself would be 0. logits: (views,K).
double mean_log_probability(std::span<const float> logits, int classes, std::int64_t k) {
  const auto row = static_cast<std::size_t>(classes);
  std::vector<double> of_views;
  for (std::size_t first = 0; first < logits.size(); first += row) {
    const std::vector<double> values(logits.begin() + static_cast<std::ptrdiff_t>(first),
                                     logits.begin() + static_cast<std::ptrdiff_t>(first + row));
    of_views.push_back(values[static_cast<std::size_t>(k)] - log_sum_exp(values));
  }
  return log_sum_exp(of_views) - std::log(static_cast<double>(of_views.size()));
}

}  // namespace

ScoredClip score_views(std::size_t sample, std::int64_t label, std::span<const float> logits, int classes,
                       const std::string& average) {
  constexpr std::size_t most_guesses = 5;
  const bool averages_scores = average == "score";
  const std::vector<float> scores = average_views(logits, classes, average);  // (K)
  const std::span<const float> judged = averages_scores ? std::span(scores) : logits;

  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto better = [&](std::size_t a, std::size_t b) {
    return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
  };
  const std::size_t guesses = std::min(most_guesses, order.size());
  std::ranges::partial_sort(order, order.begin() + static_cast<std::ptrdiff_t>(guesses), better);

  ScoredClip clip{.sample = sample,
                  .label = label,
                  .loss = -mean_log_probability(judged, classes, label),
                  .rank = rank_of(scores, label)};
  for (std::size_t i = 0; i < guesses; ++i) {
    const auto guess = static_cast<std::int64_t>(order[i]);
    clip.guesses.push_back({guess, std::exp(mean_log_probability(judged, classes, guess))});
  }
  return clip;
}

Validation summarize(std::vector<ScoredClip> clips, std::int64_t classes) {
  const auto k = static_cast<std::size_t>(classes);
  Validation result;
  result.confusion.resize(k * k);
  const auto count = static_cast<double>(clips.size());
  std::int64_t hits = 0, hits5 = 0;
  for (const ScoredClip& clip : clips) {
    result.accuracy.loss += clip.loss / count;
    hits += clip.rank < 1;
    hits5 += clip.rank < 5;
    ++result.confusion[static_cast<std::size_t>(clip.label) * k +
                       static_cast<std::size_t>(clip.guesses.front().label)];
  }
  result.accuracy.top1 = static_cast<double>(hits) / count;
  result.accuracy.top5 = static_cast<double>(hits5) / count;
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
