// The results of an evaluation as a page for browsers.
#pragma once

#include <filesystem>

#include "engine/evaluation/results_text.h"

namespace tpn {

/// Writes one HTML page that needs nothing else: accuracies, what was taken for what, classes, calibration,
/// lengths, the comparison, and every video that could not be used. `path` is replaced once the page is
/// complete. Throws OutputError.
void write_evaluation_page(const EvaluationResults& results, const std::filesystem::path& path);

}  // namespace tpn
