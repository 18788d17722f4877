// What the converter has to tell, as text for people.
#pragma once

#include <filesystem>
#include <string>

#include "weights_converter/convert.h"
#include "weights_converter/failure.h"
#include "weights_converter/to_pth.h"

namespace tpn {

/// Some lines: what was loaded, renamed, dropped and missing, and what was assumed.
std::string describe_conversion(const ConvertReport& report, const std::filesystem::path& in,
                                const std::filesystem::path& out);

std::string describe_export(const ExportReport& report, const std::filesystem::path& in,
                            const std::filesystem::path& out);

/// Of a checkpoint or a model file (told apart by their content): metadata, totals, what a model of its
/// configuration lacks or has no place for, and every tensor with dtype and shape. `weights` chooses among
/// those of a checkpoint as in ConvertOptions. Fails when it cannot be read or is refused.
CheckpointResult<std::string> inspect_file(const std::filesystem::path& path,
                                           const std::string& weights = {});

}  // namespace tpn
