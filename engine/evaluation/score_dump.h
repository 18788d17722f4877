// Files of scores that are whole or not there: for other programs to read.
#pragma once

#include <filesystem>
#include <memory>

#include "engine/evaluation/evaluated_video.h"
#include "engine/evaluation/evaluation_run.h"
#include "engine/evaluation/score_table.h"

namespace tpn {

/// Takes the videos in their order and keeps none of them. Functions throw OutputError.
class ScoreDump {
 public:
  ScoreDump() = default;
  ScoreDump(const ScoreDump&) = delete;
  ScoreDump& operator=(const ScoreDump&) = delete;
  virtual ~ScoreDump() = default;

  virtual void add(const EvaluatedVideo& video) = 0;
  /// The file appears under its name, when the shard's videos have all been added.
  virtual void finish() = 0;
};

/// Any form but JSON lines, which grow.
std::unique_ptr<ScoreDump> open_score_dump(const std::filesystem::path& path, DumpFormat format,
                                           const EvaluationRun& run);

}  // namespace tpn
