// Two evaluations of the same videos side by side.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/evaluation/evaluated_video.h"
#include "engine/evaluation/score_table.h"
#include "engine/evaluation/statistics.h"

namespace tpn {

struct ScoreDifference {
  std::string path{};
  std::int64_t label = 0;
  double largest = 0;         ///< of |score - other score| over the classes
  std::int64_t of_class = 0;  ///< where it is
  std::int64_t guess = 0;
  std::int64_t other_guess = 0;
};

struct Comparison {
  std::string name{};          ///< of the other evaluation's file
  std::int64_t videos = 0;     ///< that both have
  std::int64_t only_here = 0;  ///< that the other has not
  std::int64_t only_there = 0;
  std::int64_t failed_here = 0;  ///< of those that both have
  std::int64_t failed_there = 0;
  Proportion here{};  ///< top-1 over the videos that both have; what failed counts as wrong
  Proportion there{};
  Proportion agreement{};        ///< the same first guess, of videos that both could read
  std::int64_t right_here = 0;   ///< and wrong there
  std::int64_t right_there = 0;  ///< and wrong here
  double p_value = 1;            ///< McNemar's exact test on those two
  double mean_difference = 0;    ///< of |score - other score|, over classes and videos that both could read
  std::vector<ScoreDifference> largest{};  ///< the largest first, at most ten
};

/// Compares videos with those of a table as they come.
class Comparer {
 public:
  /// entries: of the list. Throws Error when a table without paths has another number of videos.
  Comparer(ScoreTable table, std::size_t entries);

  /// Throws Error when the other evaluation has another label for the video, or another number of classes.
  void add(const EvaluatedVideo& video);
  /// Throws Error when there was no video that both have.
  [[nodiscard]] Comparison finish() const;

 private:
  const EvaluatedVideo* find(const EvaluatedVideo& video);
  void compare_scores(const EvaluatedVideo& video, const EvaluatedVideo& other);

  ScoreTable table_;
  std::map<std::string, std::vector<std::size_t>>
      places_;  // of paths, the last first; those found are taken away
  Comparison result_;
  double differences_ = 0;
  std::int64_t compared_scores_ = 0;
};

}  // namespace tpn
