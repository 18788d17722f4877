// The report of a run.
#pragma once

#include <string>
#include <vector>

#include "engine/finetuning/finetune.h"
#include "engine/report/finetune_report.h"

namespace tpn {

/// What report.html shows, from a run's log, state and best validation. The hardest clips are decoded once
/// more for their pictures; one that cannot be has none.
FinetuneReport report_of_run(const FinetuneData& data, const FinetuneSetup& setup, const WorkFolder& folder,
                             const FinetuneOutcome& outcome, const std::vector<std::string>& advice);

}  // namespace tpn
