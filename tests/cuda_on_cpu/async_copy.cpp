#include "tests/cuda_on_cpu/async_copy.h"

#include <cstring>

#include "tests/cuda_on_cpu/block.h"
#include "tests/cuda_on_cpu/race_checker.h"

namespace tpn::cuda_on_cpu {

void AsyncCopies::clear() {
  copies_.clear();
  group_ends_.clear();
}

void AsyncCopies::wait(int pending_groups, unsigned thread, const void* place) {
  const auto keep = static_cast<std::size_t>(pending_groups);
  if (group_ends_.size() <= keep) return;
  const std::size_t groups = group_ends_.size() - keep;
  const std::uint32_t end = group_ends_[groups - 1];
  for (std::uint32_t i = 0; i < end; ++i) {
    const Copy& copy = copies_[i];
    if (copy.source_size != 0) race::access(thread, copy.global, copy.source_size, race::Access::read, place);
    race::copy_ends(thread, copy.shared, copy.size, place);
    if (copy.size == 16 && copy.source_size == 16) {  // by far the most frequent
      std::memcpy(copy.shared, copy.global, 16);
      continue;
    }
    if (copy.source_size != 0) std::memcpy(copy.shared, copy.global, copy.source_size);
    std::memset(static_cast<std::byte*>(copy.shared) + copy.source_size, 0, copy.size - copy.source_size);
  }
  copies_.erase(copies_.begin(), copies_.begin() + end);
  group_ends_.erase(group_ends_.begin(), group_ends_.begin() + static_cast<std::ptrdiff_t>(groups));
  for (std::uint32_t& group_end : group_ends_) group_end -= end;
}

void cp_async(void* shared, const void* global, int size, int source_size) {
  BlockRunner& runner = *BlockRunner::current();
  const auto bytes = static_cast<std::size_t>(size);
  if (!runner.shared().valid(shared, bytes)) {
    runner.report(FindingKind::shared_out_of_bounds,
                  runner.shared().contains(shared)
                      ? "cp.async to " + runner.shared().describe(shared)
                      : std::string("cp.async to an address outside of shared memory"));
    runner.abort();
  }
  const auto aligned = [bytes](const void* address) {
    return reinterpret_cast<std::uintptr_t>(address) % bytes == 0;
  };
  if (!aligned(shared) || (source_size != 0 && !aligned(global))) {
    runner.report(
        FindingKind::misaligned_access,
        "cp.async of " + std::to_string(size) + " bytes from or to an address that is no multiple of it");
    runner.abort();
  }
  const void* place = __builtin_return_address(0);
  const unsigned thread = runner.thread().linear;
  if (source_size != 0) {
    race::access(thread, global, static_cast<std::size_t>(source_size), race::Access::read, place);
  }
  race::copy_begins(thread, shared, bytes, place);
  std::memset(shared, 0xff, bytes);
  runner.thread().copies.add(
      {shared, global, static_cast<std::uint32_t>(size), static_cast<std::uint32_t>(source_size)});
}

void cp_async_commit() {
  BlockRunner::current()->thread().copies.commit();
}

void cp_async_wait(int pending_groups) {
  DeviceThread& thread = BlockRunner::current()->thread();
  thread.copies.wait(pending_groups, thread.linear, __builtin_return_address(0));
}

}  // namespace tpn::cuda_on_cpu
