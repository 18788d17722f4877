// What a run writes down as it goes: a line of JSON for each step and epoch, and TensorBoard's events.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/finetuning/run_state.h"
#include "engine/finetuning/work_folder.h"
#include "engine/report/event_file.h"
#include "engine/report/json_lines.h"

namespace tpn {

class RunLog {
 public:
  /// Goes on behind step `steps`: what a run that was ended wrote of later steps is dropped. Throws
  /// OutputError.
  RunLog(const WorkFolder& folder, std::int64_t steps);

  void add(const StepRecord& step);
  /// steps: that were done at the epoch's end.
  void add(const EpochRecord& epoch, std::int64_t steps);

 private:
  JsonLines lines_;
  EventFile events_;
};

/// The steps in a log; lines that are no step's are passed over.
std::vector<StepRecord> read_steps(const std::filesystem::path& log);

}  // namespace tpn
