// Copies of boxes of tensors to shared memory, which end at some later time (TMA).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/cuda_on_cpu/phase_barrier.h"
#include "tests/cuda_on_cpu/random.h"
#include "tests/cuda_on_cpu/tensor_map.h"

namespace tpn::cuda_on_cpu {

/// As copy_box in kernels/cuda/device.cuh. at: `rank` coordinates. Until the copy has ended the destination
/// holds NaN bytes, and the source is read only then.
void copy_box(void* shared, const CUtensorMap_st& map, void* barrier, const int* at, int rank);

/// As in kernels/cuda/device.cuh: nothing but a check that it is a map.
void prefetch_map(const CUtensorMap_st& map);

/// The unfinished ones of the running block.
class BoxCopies {
 public:
  explicit BoxCopies(BlockRunner& runner) : runner_(runner) {}

  void begin_block() { copies_.clear(); }

  /// By the calling thread.
  void start(void* shared, const CUtensorMap_st& map, void* barrier, const int* at, int rank,
             const void* place);

  /// Ends one of them, if there are any. False: there are none.
  bool finish_one(Random& random);

 private:
  struct Copy {
    TensorMap map;
    TensorMap::PerDimension<std::int64_t> at;
    std::byte* shared;
    PhaseBarriers::Index barrier;
    unsigned thread;  // that started it
    const void* place;

    [[nodiscard]] std::size_t bytes() const { return map.rows() * map.row_bytes(); }
  };

  void check(const Copy& copy);
  void read_for_races(const Copy& copy) const;
  void finish(const Copy& copy);

  BlockRunner& runner_;
  std::vector<Copy> copies_;
};

}  // namespace tpn::cuda_on_cpu
