// Samples from a folder with one folder a class. Internal to sample_list.cpp.
#pragma once

#include <filesystem>

#include "engine/data/sample_list.h"

namespace tpn {

/// As read_sample_list(). Classes are the sorted names of the folders, with or without samples, unless the
/// options name them.
SampleList read_class_folders(const std::filesystem::path& folder, const SampleListOptions& options);

}  // namespace tpn
