#include "tests/cuda_on_cpu/tensor_core.h"

#include <cstring>

#include "tests/cuda_on_cpu/block.h"
#include "tests/cuda_on_cpu/fragment_product.h"
#include "tests/cuda_on_cpu/race_checker.h"

namespace tpn::cuda_on_cpu {

namespace {

constexpr std::size_t matrix_row_bytes = 16;

struct LoadLane {
  std::uint32_t* result;
  const void* row;
};

struct MultiplyLane {
  float* sum;
  const std::uint32_t* a;
  const std::uint32_t* b;
};

using Arguments = std::array<void*, lanes_per_warp>;

bool has_avx2() {
  static const bool has = [] {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  }();
  return has;
}

void check_whole_warp(BlockRunner& runner, std::uint32_t lanes, const char* name) {
  if (lanes == ~0U) return;
  runner.report(FindingKind::divergent_collective, std::string(name) + " needs a warp of 32 lanes");
  runner.abort();
}

void check_row(BlockRunner& runner, const void* row) {
  if (!runner.shared().valid(row, matrix_row_bytes)) {
    runner.report(FindingKind::shared_out_of_bounds, runner.shared().contains(row)
                                                         ? "ldmatrix of " + runner.shared().describe(row)
                                                         : "ldmatrix of an address outside of shared memory");
    runner.abort();
  }
  if (reinterpret_cast<std::uintptr_t>(row) % matrix_row_bytes != 0) {
    runner.report(FindingKind::misaligned_access,
                  "ldmatrix of a row that is not aligned to 16 bytes, in " + runner.shared().describe(row));
    runner.abort();
  }
}

/// load(matrix, lane): the 32 bits of a matrix that a lane receives.
template <class Load>
void load_matrices(std::uint32_t* result, int count, const void* row, const void* place, const Load& load) {
  BlockRunner& runner = *BlockRunner::current();
  const auto matrices = static_cast<unsigned>(count);
  if (runner.thread().lane() < 8 * matrices) check_row(runner, row);
  LoadLane self{result, row};
  runner.collective(~0U, "ldmatrix", &self, [&](const Arguments& lanes, std::uint32_t all) {
    check_whole_warp(runner, all, "ldmatrix");
    const unsigned first_thread = runner.thread().warp() * lanes_per_warp;
    /// Bytes of row r of matrix i, read by a lane.
    const auto read = [&](std::size_t i, std::size_t r, std::size_t byte, std::size_t lane, void* to,
                          std::size_t size) {
      const auto* from = static_cast<const std::byte*>(static_cast<LoadLane*>(lanes[8 * i + r])->row) + byte;
      race::access(first_thread + static_cast<unsigned>(lane), from, size, race::Access::read, place);
      std::memcpy(to, from, size);
    };
    for (std::size_t i = 0; i < matrices; ++i) {
      for (std::size_t lane = 0; lane < lanes_per_warp; ++lane) {
        load(read, i, lane, static_cast<LoadLane*>(lanes[lane])->result + i);
      }
    }
  });
}

}  // namespace

void ldmatrix(std::uint32_t* result, int count, const void* row) {
  load_matrices(result, count, row, __builtin_return_address(0),
                [](const auto& read, std::size_t i, std::size_t lane, std::uint32_t* to) {
                  read(i, lane / 4, lane % 4 * 4, lane, to, 4);
                });
}

void ldmatrix_transposed(std::uint32_t* result, int count, const void* row) {
  load_matrices(result, count, row, __builtin_return_address(0),
                [](const auto& read, std::size_t i, std::size_t lane, std::uint32_t* to) {
                  std::uint16_t halves[2];
                  for (std::size_t half = 0; half < 2; ++half) {
                    read(i, lane % 4 * 2 + half, lane / 4 * 2, lane, &halves[half], 2);
                  }
                  *to = halves[0] | std::uint32_t{halves[1]} << 16;
                });
}

void multiply_fragments(Operand type, int m, int n, float* sum, const std::uint32_t* a,
                        const std::uint32_t* b) {
  BlockRunner& runner = *BlockRunner::current();
  MultiplyLane self{sum, a, b};
  runner.collective(~0U, "mma", &self, [&](const Arguments& lanes, std::uint32_t all) {
    check_whole_warp(runner, all, "mma");
    FragmentProduct product{type, m, n, {}, {}, {}};
    for (unsigned i = 0; i < lanes_per_warp; ++i) {
      const auto& lane = *static_cast<const MultiplyLane*>(lanes[i]);
      product.sum[i] = lane.sum;
      product.a[i] = lane.a;
      product.b[i] = lane.b;
    }
    run_fragment_product(product);
  });
}

void run_fragment_product(const FragmentProduct& product) {
  has_avx2() ? avx2::run(product) : sse2::run(product);
}
void run_tile_product(const TileProduct& product) {
  has_avx2() ? avx2::run(product) : sse2::run(product);
}

}  // namespace tpn::cuda_on_cpu
