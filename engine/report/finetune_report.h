// What the report of a training run shows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "engine/report/report_head.h"

namespace tpn {

/// Where a value was not measured. Not shown.
inline constexpr double not_measured = std::numeric_limits<double>::quiet_NaN();

struct ReportStep {
  std::int64_t step = 0;         ///< ascending
  std::vector<double> losses{};  ///< one for each of FinetuneReport::loss_names
  double learning_rate = not_measured;
  double gradient_norm = not_measured;  ///< before clipping
  double data_seconds = not_measured;   ///< that the step waited for data
  double step_seconds = not_measured;   ///< all of it, waiting included
};

struct ReportEpoch {
  std::int64_t epoch = 0;  ///< ascending, from 1
  double train_loss = not_measured;
  double validation_loss = not_measured;
  double top1 = not_measured;  ///< shares of the validation clips, 0 to 1, as the two below
  double top5 = not_measured;
  double mean_class_accuracy = not_measured;
};

struct ReportGuess {
  std::int64_t label = 0;
  double score = 0;  ///< 0 to 1
};

/// A clip of which the model is far from sure, or sure of something else.
struct ReportClip {
  std::string name{};      ///< of the file
  std::int64_t label = 0;  ///< what it is
  double loss = not_measured;
  std::vector<ReportGuess> guesses{};  ///< the best first
  std::vector<std::byte> thumbnail{};  ///< a PNG or JPEG file; may be empty
};

struct FinetuneReport {
  std::string title{};
  std::string subtitle{};
  std::vector<ReportFact> facts{};  ///< model, data, device, time: shown as they are
  std::string recipe{};             ///< JSON, shown as it is
  std::vector<ReportNote> notes{};

  std::vector<std::string> loss_names{};  ///< what is minimised first, then its terms
  std::vector<ReportStep> steps{};
  std::vector<ReportEpoch> epochs{};
  std::int64_t best_epoch = 0;  ///< the one whose model was kept as the best; 0: none

  std::vector<std::string> classes{};         ///< K names; where one is empty, its number is shown
  std::vector<std::int64_t> train_samples{};  ///< K; empty: not known
  std::vector<std::int64_t> confusion{};      ///< (K,K) validation clips by class and guess; empty: none
  std::vector<ReportClip> hardest{};          ///< the hardest first
};

}  // namespace tpn
