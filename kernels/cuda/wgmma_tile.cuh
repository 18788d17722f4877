// What kernels share that multiply tiles of matrices by warp groups (wgmma) while one thread fetches boxes of
// tensors (TMA): how a block's tile is divided, the ring of steps and its barriers, and the walk along them.
#pragma once

#include "kernels/cuda/conv_positions.cuh"

namespace tpn::cuda {

/// Groups: warp groups that multiply, each `Strips` times 64 rows. Width: columns of one instruction.
/// Resident: blocks that should fit a multiprocessor at once; bounds the registers.
template <int Groups, int Strips, int Columns, int Width, int Stages, int Resident>
struct WgmmaTile {
  static constexpr int groups = Groups;
  static constexpr int strips = Strips;
  static constexpr int rows = Groups * Strips * 64;
  static constexpr int columns = Columns;
  static constexpr int width = Width;
  static constexpr int parts = Columns / Width;
  static constexpr int stages = Stages;
  static constexpr int resident = Resident;
  static constexpr int threads = (Groups + 1) * 128;
  static constexpr int warps = Groups * 4;  ///< that multiply
  static_assert(rows <= 256 && Columns <= 256 && Columns % Width == 0 && Width % 64 == 0 && Stages >= 2);

  static constexpr int depth_bytes = 128;
  static constexpr int rows_bytes = rows * depth_bytes;
  static constexpr int columns_bytes = Columns * depth_bytes;
  static constexpr int step_bytes = rows_bytes + columns_bytes;
  static constexpr int ring_bytes = Stages * step_bytes;
  static constexpr int barriers = 2 * Stages + 1;
  static constexpr int shared_bytes = ring_bytes + barriers * 8;

  /// A thread's registers: what the compiler deals to all, then what the groups of each kind have.
  static constexpr int dealt_registers = 65536 / (threads * Resident) / 8 * 8;
  static constexpr int fetching_registers = 32;
  static constexpr int multiplying_registers =
      (dealt_registers * (Groups + 1) - fetching_registers) / Groups / 8 * 8;
  static_assert(multiplying_registers >= Strips * Columns / 2 + 32);
};

/// Those of a thread: for each strip of 64 rows and each part of `width` columns what warp_group_multiply
/// makes.
template <class Tile>
using Sums = float[Tile::strips][Tile::parts][Tile::width / 8][4];

/// The ring of a block and its barriers, in dynamic shared memory. Step s lies in buffer s % stages.
template <class Tile>
class Ring {
 public:
  __device__ __forceinline__ explicit Ring(unsigned char* shared)
      : buffers_(shared), barriers_(reinterpret_cast<PhaseBarrier*>(shared + Tile::ring_bytes)) {}

  /// By one thread, before a barrier of the block.
  __device__ __forceinline__ void init() const {
#pragma unroll
    for (int i = 0; i < Tile::stages; ++i) {
      full(i).init(1);
      empty(i).init(Tile::warps);
    }
    finished().init(Tile::warps);
    PhaseBarrier::init_fence();
  }

  /// The operand of a step whose rows are the tile's...
  [[nodiscard]] __device__ __forceinline__ unsigned char* rows(int buffer) const {
    return buffers_ + buffer * Tile::step_bytes;
  }
  /// ... and that whose rows are its columns.
  [[nodiscard]] __device__ __forceinline__ unsigned char* columns(int buffer) const {
    return rows(buffer) + Tile::rows_bytes;
  }
  /// A phase of it ends when the buffer's step has come...
  [[nodiscard]] __device__ __forceinline__ PhaseBarrier& full(int buffer) const {
    return barriers_[buffer];  // the first Tile::stages of them
  }
  /// ... and when all warps are done with it.
  [[nodiscard]] __device__ __forceinline__ PhaseBarrier& empty(int buffer) const {
    return barriers_[Tile::stages + buffer];
  }
  /// All warps are done with the whole ring.
  [[nodiscard]] __device__ __forceinline__ PhaseBarrier& finished() const {
    return barriers_[2 * Tile::stages];
  }

 private:
  unsigned char* buffers_;
  PhaseBarrier* barriers_;
};

/// Clears rows of 128 bytes, [first, end) from `begin` on: by all threads, before a barrier of the block and
/// asynchronous_fence().
template <class Tile>
__device__ __forceinline__ void clear_rows(unsigned char* begin, int first, int end, int thread) {
#pragma unroll 1
  for (int byte = first * 128 + thread * 16; byte < end * 128; byte += Tile::threads * 16) {
    store_vector(reinterpret_cast<float*>(begin + byte), Vector<float, 4>{});
  }
}

/// Where a step lies, and how often its buffer was used before (its lowest bit).
template <class Tile>
struct RingPlace {
  int buffer = 0;
  int phase = 0;

  __device__ __forceinline__ void advance() {
    if (++buffer == Tile::stages) {
      buffer = 0;
      phase ^= 1;
    }
  }
};

/// The position of y with which a box begins.
struct BoxOrigin {
  int n, t, h, w;
};

/// Of box `index` of y.
__device__ __forceinline__ BoxOrigin box_origin(const ConvBoxes& boxes, int index) {
  BoxOrigin origin{};
  origin.w = divide(index, boxes.tiles_w) * boxes.w.divisor;
  origin.h = divide(index, boxes.tiles_h) * boxes.h.divisor;
  origin.t = divide(index, boxes.tiles_t) * boxes.t.divisor;
  origin.n = index * boxes.views;
  return origin;
}

/// Fetches a block's steps: one thread. copy(step, rows, columns, full) starts the copies of one, `bytes` in
/// all; steps are counted from 0.
template <class Tile, class Copy>
__device__ __forceinline__ void fetch_steps(const Ring<Tile>& ring, int steps, int bytes, const Copy& copy) {
  RingPlace<Tile> place;
#pragma unroll 1
  for (int i = 0; i < steps; ++i) {
    PhaseBarrier& full = ring.full(place.buffer);
    ring.empty(place.buffer).wait_watched(place.phase ^ 1);
    full.arrive_expecting(bytes);
    copy(i, ring.rows(place.buffer), ring.columns(place.buffer), full);
    place.advance();
  }
#ifdef TPN_CUDA_WATCHDOG            // this thread also watches over those that multiply
  ring.finished().wait_watched(0);  // on a GPU only
#endif
}

/// Multiplies a block's steps: a warp group. multiply(rows, columns) starts the products of one. When it
/// returns, all warps are done with the ring.
template <class Tile, class Multiply>
__device__ __forceinline__ void multiply_steps(const Ring<Tile>& ring, int steps, int lane,
                                               const Multiply& multiply) {
  RingPlace<Tile> place;
  int previous = 0;
#pragma unroll 1  // a step is long: several in a row only fill the cache of instructions
  for (int i = 0; i < steps; ++i) {
    ring.full(place.buffer).wait(place.phase);
    warp_group_fence();
    multiply(ring.rows(place.buffer), ring.columns(place.buffer));
    warp_group_commit();
    warp_group_wait<1>();
    if (i > 0 && lane == 0) ring.empty(previous).arrive();
    previous = place.buffer;
    place.advance();
  }
  warp_group_wait<0>();
  if (lane == 0) ring.finished().arrive();
  ring.finished().wait(0);
}

}  // namespace tpn::cuda
