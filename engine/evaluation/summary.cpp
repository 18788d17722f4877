#include "engine/evaluation/summary.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/report/class_rank.h"
#include "engine/video/quantity.h"

namespace tpn {
namespace {

constexpr std::size_t length_groups = 5;

double confidence_of(const std::vector<float>& scores, bool probabilities) {
  const double largest = static_cast<double>(*std::ranges::max_element(scores));
  if (probabilities) return largest;
  double sum = 0;
  for (const float score : scores) sum += std::exp(static_cast<double>(score) - largest);
  return 1 / sum;
}

/// hits and trials of each class that occurs among labels or guesses.
double mean_recall(const std::vector<Proportion>& classes) {
  if (classes.empty()) return std::numeric_limits<double>::quiet_NaN();
  double sum = 0;
  for (const Proportion& recall : classes) sum += recall.trials > 0 ? recall.share() : 0;
  return sum / static_cast<double>(classes.size());
}

/// videos: readable ones, or all; trials_of: how many of a class's videos count.
template <class Trials>
Accuracies accuracies(std::int64_t videos, const std::vector<ClassAccuracy>& classes,
                      const Trials& trials_of) {
  Accuracies result;
  result.top1.trials = result.top5.trials = videos;
  std::vector<Proportion> recalls;
  for (const ClassAccuracy& c : classes) {
    result.top1.hits += c.hits;
    result.top5.hits += c.hits5;
    const std::int64_t trials = trials_of(c);
    if (trials + c.guesses > 0) recalls.push_back({c.hits, trials});
  }
  result.mean_class = mean_recall(recalls);
  result.top1_interval = wilson_interval(result.top1);
  result.top5_interval = wilson_interval(result.top5);
  result.mean_class_interval = mean_interval(recalls);
  return result;
}

std::size_t bin_of(double confidence) {
  constexpr auto bins = EvaluationSummary::confidence_bins;
  const double place = std::ceil(confidence * static_cast<double>(bins)) - 1;
  return static_cast<std::size_t>(std::clamp(place, 0.0, static_cast<double>(bins - 1)));
}

struct Measured {
  double length;
  std::int64_t rank;
};

std::vector<LengthGroup> group_by_length(std::vector<Measured> videos) {
  std::ranges::stable_sort(videos, {}, &Measured::length);
  std::vector<LengthGroup> groups;
  std::size_t begin = 0;
  for (std::size_t g = 1; g <= length_groups && begin < videos.size(); ++g) {
    std::size_t end = std::max(begin + 1, videos.size() * g / length_groups);
    while (end < videos.size() && videos[end].length == videos[end - 1].length) ++end;
    LengthGroup& group = groups.emplace_back();
    group.least = videos[begin].length;
    group.most = videos[end - 1].length;
    group.top1.trials = group.top5.trials = static_cast<std::int64_t>(end - begin);
    for (; begin < end; ++begin) {
      group.top1.hits += videos[begin].rank < 1;
      group.top5.hits += videos[begin].rank < 5;
    }
  }
  return groups;
}

}  // namespace

EvaluationTally::EvaluationTally(const EvaluationRun& run)
    : probabilities_(run.gives_probabilities()),
      least_frames_(run.least_frames),
      classes_(run.classes.size()) {}

void EvaluationTally::add(const EvaluatedVideo& video) {
  Judged judged{video.label, -1, 0, 0, video.frames, video.seconds};
  if (video.readable()) {
    judged.guess = best_class(video.scores);
    judged.rank = rank_of(video.scores, video.label);
    judged.confidence = confidence_of(video.scores, probabilities_);
  } else {
    failures_.push_back({video.entry, video.origin, video.error});
  }
  if (video.readable() && !video.warnings.empty()) {
    ++damaged_;
    for (const std::string& warning : video.warnings)
      remarks_.push_back({video.entry, video.origin, warning});
  }
  if (video.readable() && video.frames > 0 && video.frames < least_frames_) {
    ++brief_;
    remarks_.push_back({video.entry, video.origin,
                        video.path + ": it has " + count_of(video.frames, "frame") + ", fewer than the " +
                            std::to_string(least_frames_) + " that a clip spans; frames repeat."});
  }
  videos_.push_back(judged);
}

EvaluationSummary EvaluationTally::summary() const {
  EvaluationSummary s;
  s.entries = std::ssize(videos_);
  s.failed = failed();
  s.damaged = damaged_;
  s.brief = brief_;
  s.failures = failures_;
  s.remarks = remarks_;
  s.classes.resize(classes_);
  s.confusion.resize(classes_ * classes_);
  for (std::size_t i = 0; i < s.calibration.size(); ++i) {
    s.calibration[i].low = static_cast<double>(i) / static_cast<double>(s.calibration.size());
    s.calibration[i].high = static_cast<double>(i + 1) / static_cast<double>(s.calibration.size());
  }
  s.length_in_seconds =
      std::ranges::all_of(videos_, [](const Judged& video) { return video.guess < 0 || video.seconds > 0; });
  std::vector<Measured> measured;
  for (const Judged& video : videos_) {
    if (video.label >= 0) ++s.classes[static_cast<std::size_t>(video.label)].videos;
    if (video.guess < 0) {
      if (video.label >= 0) ++s.classes[static_cast<std::size_t>(video.label)].failed;
      continue;
    }
    ClassAccuracy& of_class = s.classes[static_cast<std::size_t>(video.label)];
    of_class.hits += video.rank < 1;
    of_class.hits5 += video.rank < 5;
    ++s.classes[static_cast<std::size_t>(video.guess)].guesses;
    ++s.confusion[static_cast<std::size_t>(video.label) * classes_ + static_cast<std::size_t>(video.guess)];
    ConfidenceBin& bin = s.calibration[bin_of(video.confidence)];
    ++bin.right.trials;
    bin.right.hits += video.rank < 1;
    bin.confidence += video.confidence;
    measured.push_back({s.length_in_seconds ? video.seconds : static_cast<double>(video.frames), video.rank});
  }
  const std::int64_t readable = s.entries - s.failed;
  for (ConfidenceBin& bin : s.calibration) {
    if (bin.right.trials == 0) continue;
    const auto count = static_cast<double>(bin.right.trials);
    bin.confidence /= count;
    s.calibration_error +=
        count / static_cast<double>(readable) * std::abs(bin.right.share() - bin.confidence);
  }
  s.lengths = group_by_length(std::move(measured));
  s.all = accuracies(s.entries, s.classes, [](const ClassAccuracy& c) { return c.videos; });
  s.readable = accuracies(readable, s.classes, [](const ClassAccuracy& c) { return c.videos - c.failed; });
  return s;
}

}  // namespace tpn
