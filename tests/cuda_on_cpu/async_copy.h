// cp.async: copies from global to shared memory that are done when they are waited for.
#pragma once

#include <cstdint>
#include <vector>

namespace tpn::cuda_on_cpu {

/// Starts copying `size` bytes (4, 8 or 16), of which the first `source_size` come from global memory and the
/// rest are zeros. Until the wait the destination holds NaN bytes, and the source is read only then.
void cp_async(void* shared, const void* global, int size, int source_size);
void cp_async_commit();
void cp_async_wait(int pending_groups);

/// The copies one thread has begun.
class AsyncCopies {
 public:
  struct Copy {
    void* shared;
    const void* global;
    std::uint32_t size;
    std::uint32_t source_size;
  };

  void add(const Copy& copy) { copies_.push_back(copy); }
  void commit() { group_ends_.push_back(static_cast<std::uint32_t>(copies_.size())); }
  /// Does the copies of all groups but the youngest `pending_groups`. thread, place: who waits, and where in
  /// the program.
  void wait(int pending_groups, unsigned thread, const void* place);
  [[nodiscard]] bool empty() const { return copies_.empty(); }
  [[nodiscard]] const Copy& first() const { return copies_.front(); }
  void clear();

 private:
  std::vector<Copy> copies_;               // oldest first
  std::vector<std::uint32_t> group_ends_;  // of each committed group: the index after its last copy
};

}  // namespace tpn::cuda_on_cpu
