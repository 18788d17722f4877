// The parts of an evaluation put together.
#pragma once

#include <filesystem>
#include <span>
#include <vector>

#include "engine/evaluation/evaluated_video.h"
#include "engine/evaluation/evaluation_run.h"

namespace tpn {

struct MergedEvaluation {
  EvaluationRun run;                   ///< of the whole list
  std::vector<EvaluatedVideo> videos;  ///< every entry once, in their order
};

/// Reads files of JSON lines, whose shards need not be of one division. Throws Error as read_json_dump()
/// does, when they are of different runs, and naming the entries that are missing, or there more than once.
MergedEvaluation merge_evaluations(std::span<const std::filesystem::path> dumps);

}  // namespace tpn
