// How good a model is on the videos of a list.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/evaluation/evaluated_video.h"
#include "engine/evaluation/evaluation_run.h"
#include "engine/evaluation/statistics.h"

namespace tpn {

/// Over some videos. Shares are NaN where there are none.
struct Accuracies {
  Proportion top1{};
  Proportion top5{};
  double mean_class =
      0;  ///< mean recall of the classes that occur among labels or guesses, as mmaction2 has it
  Interval top1_interval{};
  Interval top5_interval{};
  Interval mean_class_interval{};
};

struct ClassAccuracy {
  std::int64_t videos = 0;  ///< of the class, readable or not
  std::int64_t failed = 0;  ///< of these, not readable
  std::int64_t hits = 0;
  std::int64_t hits5 = 0;
  std::int64_t guesses = 0;  ///< videos whose first guess it is
};

/// Readable videos whose first guess has a confidence in (low, high], the first bin 0 too.
struct ConfidenceBin {
  double low = 0;
  double high = 0;
  Proportion right{};
  double confidence = 0;  ///< mean; 0 for no videos
};

/// Readable videos of similar length.
struct LengthGroup {
  double least = 0;
  double most = 0;
  Proportion top1{};
  Proportion top5{};
};

/// Something to be said about an entry.
struct EntryRemark {
  std::size_t entry = 0;
  std::string origin{};
  std::string text{};  ///< a sentence
};

struct EvaluationSummary {
  static constexpr std::size_t confidence_bins = 10;

  std::int64_t entries = 0;  ///< of the shard
  std::int64_t failed = 0;
  std::int64_t damaged = 0;  ///< readable, with warnings
  std::int64_t brief = 0;    ///< readable, with fewer frames than a clip spans: frames repeat
  Accuracies all{};          ///< over all entries: what failed counts as wrong
  Accuracies readable{};
  std::vector<ClassAccuracy> classes{};   ///< (K)
  std::vector<std::int64_t> confusion{};  ///< (K,K) readable videos by label and first guess

  /// By the largest probability; of averaged scores by that of their softmax.
  std::array<ConfidenceBin, confidence_bins> calibration{};
  /// Expected calibration error: the mean over the readable videos of |accuracy - confidence| of their bin.
  double calibration_error = 0;

  bool length_in_seconds = false;      ///< else in frames: where not every readable video tells its seconds
  std::vector<LengthGroup> lengths{};  ///< up to five of as many videos each; equal lengths stay together
  std::vector<EntryRemark> failures{};
  std::vector<EntryRemark> remarks{};  ///< damage and brevity of readable videos
};

/// Sums up videos as they come, each by a few numbers.
class EvaluationTally {
 public:
  explicit EvaluationTally(const EvaluationRun& run);

  /// In the order of the list: sums of doubles depend on it.
  void add(const EvaluatedVideo& video);
  [[nodiscard]] std::int64_t failed() const { return static_cast<std::int64_t>(failures_.size()); }
  [[nodiscard]] EvaluationSummary summary() const;

 private:
  struct Judged {
    std::int64_t label;  ///< negative: none
    std::int64_t guess;  ///< negative: not readable
    std::int64_t rank;
    double confidence;
    std::int64_t frames;
    double seconds;
  };

  bool probabilities_;
  std::int64_t least_frames_;
  std::size_t classes_;
  std::int64_t damaged_ = 0;
  std::int64_t brief_ = 0;
  std::vector<Judged> videos_;
  std::vector<EntryRemark> failures_;
  std::vector<EntryRemark> remarks_;
};

}  // namespace tpn
