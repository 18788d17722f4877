#include "engine/report/class_scores.h"

#include <algorithm>
#include <limits>

namespace tpn {
namespace {

double share(std::int64_t part, std::int64_t all) {
  if (all == 0) return std::numeric_limits<double>::quiet_NaN();
  return static_cast<double>(part) / static_cast<double>(all);
}

}  // namespace

double ClassScore::precision() const {
  return share(hits, guesses);
}

double ClassScore::recall() const {
  return share(hits, samples);
}

std::vector<ClassScore> class_scores(std::span<const std::int64_t> confusion, std::size_t classes) {
  std::vector<ClassScore> scores(classes);
  for (std::size_t label = 0; label < classes; ++label) {
    for (std::size_t guess = 0; guess < classes; ++guess) {
      const std::int64_t count = confusion[label * classes + guess];
      scores[label].samples += count;
      scores[guess].guesses += count;
      if (label == guess) scores[label].hits = count;
    }
  }
  return scores;
}

std::vector<Confusion> largest_confusions(std::span<const std::int64_t> confusion, std::size_t classes,
                                          std::size_t most) {
  std::vector<Confusion> pairs;
  for (std::size_t i = 0; i < confusion.size(); ++i) {
    const Confusion pair{i / classes, i % classes, confusion[i]};
    if (pair.count > 0 && pair.label != pair.guess) pairs.push_back(pair);
  }
  std::ranges::stable_sort(pairs, std::ranges::greater(), &Confusion::count);
  pairs.resize(std::min(most, pairs.size()));
  return pairs;
}

std::optional<Confusion> largest_confusion_of(std::span<const std::int64_t> confusion, std::size_t classes,
                                              std::size_t label) {
  std::optional<Confusion> largest;
  for (std::size_t guess = 0; guess < classes; ++guess) {
    const std::int64_t count = confusion[label * classes + guess];
    if (guess != label && count > (largest ? largest->count : 0)) largest = Confusion{label, guess, count};
  }
  return largest;
}

}  // namespace tpn
