// How many threads make sense.
#pragma once

#include <filesystem>
#include <optional>

namespace tpn::cpu {

/// Threads where nobody asks for a number: what OMP_NUM_THREADS says, else the processors that the process
/// may run on, but not more than its quota of processor time lets run at once. At least 1.
int default_threads();

/// More are refused: they would only wait for each other, and each takes memory.
int most_threads();

/// The processors that the quotas of the process's control groups (versions 1 and 2) amount to, the smallest
/// of all levels; nothing where there is none. `root` is where the file system is looked at.
std::optional<double> processor_quota(const std::filesystem::path& root = "/");

}  // namespace tpn::cpu
