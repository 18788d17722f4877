#include "kernels/cpu/processors.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include <omp.h>

namespace tpn::cpu {
namespace {

namespace fs = std::filesystem;

/// What OpenMP begins with, before anyone calls omp_set_num_threads().
const int initial_threads = omp_get_max_threads();

/// Whether a list with commas has the word.
bool lists(const std::string& words, const std::string& word) {
  return ("," + words + ",").find("," + word + ",") != std::string::npos;
}

/// "200000 100000", or "max 100000" without a quota.
std::optional<double> unified_quota(const fs::path& folder) {
  double quota = 0, period = 0;
  std::ifstream file(folder / "cpu.max");
  if (!(file >> quota >> period) || quota <= 0 || period <= 0) return std::nullopt;
  return quota / period;
}

/// -1 without a quota.
std::optional<double> legacy_quota(const fs::path& folder) {
  double quota = 0, period = 0;
  std::ifstream quota_file(folder / "cpu.cfs_quota_us"), period_file(folder / "cpu.cfs_period_us");
  if (!(quota_file >> quota) || !(period_file >> period) || quota <= 0 || period <= 0) return std::nullopt;
  return quota / period;
}

/// A mounted hierarchy of control groups.
struct Hierarchy {
  bool unified;
  fs::path shown;  ///< the group that is seen at the mount point
  fs::path mount;
};

/// Lines of /proc/self/mountinfo: "36 35 98:0 /shown /mount options ... - type source options".
std::optional<Hierarchy> hierarchy_of(const std::string& line) {
  std::istringstream words(line);
  std::string word, shown, mount, type, source, options;
  words >> word >> word >> word >> shown >> mount;
  while (words >> word && word != "-") {
  }
  words >> type >> source >> options;
  if (type == "cgroup2") return Hierarchy{true, shown, mount};
  if (type == "cgroup" && lists(options, "cpu")) return Hierarchy{false, shown, mount};
  return std::nullopt;
}

/// The process's own group in such a hierarchy, from lines of /proc/self/cgroup: "4:cpu,cpuacct:/group", or
/// "0::/group" of version 2.
fs::path own_group(const fs::path& root, bool unified) {
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (unified ? controllers.empty() : lists(controllers, "cpu")) return line.substr(second + 1);
  }
  return "/";
}

}  // namespace

std::optional<double> processor_quota(const fs::path& root) {
  std::optional<double> smallest;
  std::ifstream mounts(root / "proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    const std::optional<Hierarchy> hierarchy = hierarchy_of(line);
    if (!hierarchy) continue;
    // A container may see its own group at the mount point, under a path that names it from outside.
    const fs::path group = own_group(root, hierarchy->unified).lexically_relative(hierarchy->shown);
    const bool below = !group.empty() && *group.begin() != "..";
    const fs::path top = root / hierarchy->mount.relative_path();
    fs::path folder = below ? (top / group).lexically_normal() : top;
    if (!folder.has_filename()) folder = folder.parent_path();
    for (;; folder = folder.parent_path()) {
      const std::optional<double> quota = hierarchy->unified ? unified_quota(folder) : legacy_quota(folder);
      if (quota) smallest = std::min(*quota, smallest.value_or(*quota));
      if (folder == top || folder == folder.parent_path()) break;
    }
  }
  return smallest;
}

int default_threads() {
  const int limit = std::max(1, std::min(omp_get_thread_limit(), most_threads()));
  const char* wanted = std::getenv("OMP_NUM_THREADS");
  if (wanted != nullptr && *wanted != '\0') return std::clamp(initial_threads, 1, limit);
  int processors = omp_get_num_procs();  // of the affinity mask
  if (const std::optional<double> quota = processor_quota()) {
    // Rounded up: what is left of the quota is used, and threads in excess are only paused for a while.
    processors = static_cast<int>(std::min(std::ceil(*quota), static_cast<double>(processors)));
  }
  return std::clamp(processors, 1, limit);
}

int most_threads() {
  constexpr int few = 16;
  return std::max(few, 4 * static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace tpn::cpu
