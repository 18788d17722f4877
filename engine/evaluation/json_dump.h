// Results of an evaluation as JSON lines: a heading that tells what was evaluated, then a line for each
// video, in the list's order. Each line is complete when it is written, so that a run that was killed goes on
// behind it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "engine/evaluation/evaluated_video.h"
#include "engine/evaluation/evaluation_run.h"
#include "engine/model/whole_lines.h"

namespace tpn {

/// Lines with their ends.
std::string heading_line(const EvaluationRun& run);
std::string video_line(const EvaluatedVideo& video);

/// Told the heading, then the videos. What they throw ends the reading.
struct JsonDumpEvents {
  std::function<void(const EvaluationRun& run)> heading;
  std::function<void(EvaluatedVideo&& video)> video;
};

/// Whether the file begins as heading_line() does.
bool is_json_dump(const std::filesystem::path& path);

/// Reads a file; one without a whole line has no heading. Throws Error naming file and line for what is no
/// such line, scores of another number than the classes, and entries that do not belong to the heading's
/// shard or do not ascend.
WholeLines read_json_dump(const std::filesystem::path& path, const JsonDumpEvents& events);

}  // namespace tpn
