#include "engine/evaluation/comparison.h"

#include <algorithm>
#include <cmath>
#include <ranges>

#include "engine/report/class_rank.h"
#include "kernels/error.h"

namespace tpn {
namespace {

constexpr std::size_t most_differences = 10;

bool is_right(const EvaluatedVideo& video, std::int64_t label) {
  return video.readable() && best_class(video.scores) == label;
}

}  // namespace

Comparer::Comparer(ScoreTable table, std::size_t entries) : table_(std::move(table)) {
  result_.name = table_.name;
  if (!table_.has_paths && table_.videos.size() != entries) {
    throw Error(table_.name + ": it has results of " + std::to_string(table_.videos.size()) +
                " videos without their names, and the list has " + std::to_string(entries) + " entries.");
  }
  if (!table_.has_paths) return;
  for (std::size_t i = table_.videos.size(); i-- > 0;) places_[table_.videos[i].path].push_back(i);
}

const EvaluatedVideo* Comparer::find(const EvaluatedVideo& video) {
  if (!table_.has_paths) return &table_.videos[video.entry];
  const auto found = places_.find(video.path);
  if (found == places_.end() || found->second.empty()) return nullptr;
  const std::size_t place = found->second.back();
  found->second.pop_back();
  return &table_.videos[place];
}

void Comparer::add(const EvaluatedVideo& video) {
  const EvaluatedVideo* const other = find(video);
  if (other == nullptr) {
    ++result_.only_here;
    return;
  }
  if (table_.has_labels && other->label != video.label) {
    throw Error(other->origin + ": its label is " + std::to_string(other->label) + ", and that of " +
                video.origin + " is " + std::to_string(video.label) +
                ": these are not the same videos in the same order.");
  }
  ++result_.videos;
  const bool here = is_right(video, video.label);
  const bool there = is_right(*other, video.label);
  result_.here.hits += here;
  result_.there.hits += there;
  result_.right_here += here && !there;
  result_.right_there += there && !here;
  result_.failed_here += !video.readable();
  result_.failed_there += !other->readable();
  if (video.readable() && other->readable()) compare_scores(video, *other);
}

void Comparer::compare_scores(const EvaluatedVideo& video, const EvaluatedVideo& other) {
  if (other.scores.size() != video.scores.size()) {
    throw Error(other.origin + ": it has " + std::to_string(other.scores.size()) + " scores, and there are " +
                std::to_string(video.scores.size()) + " classes.");
  }
  ScoreDifference difference{.path = video.path,
                             .label = video.label,
                             .guess = best_class(video.scores),
                             .other_guess = best_class(other.scores)};
  for (std::size_t k = 0; k < video.scores.size(); ++k) {
    const double d = std::abs(static_cast<double>(video.scores[k]) - static_cast<double>(other.scores[k]));
    differences_ += d;
    if (d <= difference.largest) continue;
    difference.largest = d;
    difference.of_class = static_cast<std::int64_t>(k);
  }
  compared_scores_ += std::ssize(video.scores);
  ++result_.agreement.trials;
  result_.agreement.hits += difference.guess == difference.other_guess;
  if (difference.largest == 0) return;
  auto& largest = result_.largest;
  const auto place =
      std::ranges::upper_bound(largest, difference.largest, std::greater(), &ScoreDifference::largest);
  largest.insert(place, std::move(difference));
  if (largest.size() > most_differences) largest.pop_back();
}

Comparison Comparer::finish() const {
  Comparison result = result_;
  if (result.videos == 0) throw Error(table_.name + ": it has none of the videos.");
  result.here.trials = result.there.trials = result.videos;
  result.only_there = std::ssize(table_.videos) - result.videos;
  result.p_value = mcnemar_exact(result.right_here, result.right_there);
  if (compared_scores_ > 0) result.mean_difference = differences_ / static_cast<double>(compared_scores_);
  return result;
}

}  // namespace tpn
