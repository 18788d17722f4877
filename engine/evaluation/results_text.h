// The results of an evaluation for people and for programs.
#pragma once

#include <optional>
#include <string>

#include "engine/evaluation/comparison.h"
#include "engine/evaluation/evaluation_run.h"
#include "engine/evaluation/summary.h"

namespace tpn {

struct EvaluationResults {
  EvaluationRun run;
  EvaluationSummary summary;
  std::optional<Comparison> comparison{};
};

/// "k400: 10x3 views of 256 (short side 256), mean of probabilities, f32".
std::string protocol_text(const EvaluationRun& run);

/// "archery", or "class 7" for one without a name.
std::string class_name(const EvaluationRun& run, std::int64_t index);

/// A few lines.
std::string results_text(const EvaluationResults& results);

/// One object on one line. Nothing in it depends on time, machine, or the way the work was divided: parts
/// that are merged give the same bytes as the whole. Shares and intervals are numbers from 0 to 1, or null
/// for none.
std::string results_json(const EvaluationResults& results);

}  // namespace tpn
