#include "tests/cuda_on_cpu/findings.h"

#include <cctype>
#include <mutex>
#include <set>
#include <utility>

namespace tpn::cuda_on_cpu {

namespace {

struct Store {
  std::mutex mutex;
  std::vector<Finding> findings;
  std::set<std::string> known;
};

Store& store() {
  // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): outlives the worker threads
  static Store* const instance = new Store;
  return *instance;
}

/// Without numbers: other threads, blocks and offsets make no other finding.
std::string key_of(const Finding& finding) {
  std::string key = std::to_string(static_cast<int>(finding.kind)) + finding.kernel + ":";
  for (const char c : finding.message) {
    if (std::isdigit(static_cast<unsigned char>(c)) == 0) key += c;
  }
  return key;
}

}  // namespace

const char* name_of(FindingKind kind) {
  switch (kind) {
    case FindingKind::divergent_barrier:
      return "divergent_barrier";
    case FindingKind::divergent_collective:
      return "divergent_collective";
    case FindingKind::unfinished_copy:
      return "unfinished_copy";
    case FindingKind::endless_wait:
      return "endless_wait";
    case FindingKind::barrier_misuse:
      return "barrier_misuse";
    case FindingKind::box_copy_misuse:
      return "box_copy_misuse";
    case FindingKind::product_misuse:
      return "product_misuse";
    case FindingKind::unfinished_product:
      return "unfinished_product";
    case FindingKind::copy_read_before_wait:
      return "copy_read_before_wait";
    case FindingKind::race_in_shared_memory:
      return "race_in_shared_memory";
    case FindingKind::race_in_block:
      return "race_in_block";
    case FindingKind::race_between_blocks:
      return "race_between_blocks";
    case FindingKind::uninitialized_shared_read:
      return "uninitialized_shared_read";
    case FindingKind::shared_out_of_bounds:
      return "shared_out_of_bounds";
    case FindingKind::global_out_of_bounds:
      return "global_out_of_bounds";
    case FindingKind::host_memory_access:
      return "host_memory_access";
    case FindingKind::misaligned_access:
      return "misaligned_access";
    case FindingKind::other_device_access:
      return "other_device_access";
    case FindingKind::shared_memory_limit:
      return "shared_memory_limit";
    case FindingKind::host_access_before_copy_end:
      return "host_access_before_copy_end";
    case FindingKind::trap:
      return "trap";
  }
  return "unknown";
}

bool is_new(const std::string& key) {
  Store& all = store();
  const std::lock_guard lock(all.mutex);
  return all.known.count(key) == 0;
}

void add_finding(Finding finding, std::string key) {
  if (key.empty()) key = key_of(finding);
  Store& all = store();
  const std::lock_guard lock(all.mutex);
  if (all.known.insert(std::move(key)).second) all.findings.push_back(std::move(finding));
}

std::vector<Finding> take_findings() {
  Store& all = store();
  const std::lock_guard lock(all.mutex);
  all.known.clear();
  return std::exchange(all.findings, {});
}

}  // namespace tpn::cuda_on_cpu
