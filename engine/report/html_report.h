// The report of a training run as a page for browsers.
#pragma once

#include <filesystem>

#include "engine/report/finetune_report.h"

namespace tpn {

/// Writes one HTML page that needs nothing else and asks for nothing from the network: curves, confusions, a
/// table of the classes, the hardest clips, the recipe. `path` is replaced once the page is complete. Throws
/// Error for a report whose parts contradict each other, or a thumbnail of another format, and OutputError.
void write_html_report(const FinetuneReport& report, const std::filesystem::path& path);

}  // namespace tpn
