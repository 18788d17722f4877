// Products that four warps start together and wait for later, with operands in shared memory (wgmma).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "tests/cuda_on_cpu/tensor_core.h"

namespace tpn::cuda_on_cpu {

class BlockRunner;

// As in kernels/cuda/device.cuh. Until a product's group has been waited for its sums are NaN, and its
// operands are read only then.
void warp_group_fence();
void warp_group_commit();
void warp_group_wait(int pending_groups);
/// sum: [n][4], the registers of the calling lane. transposed: whether the operands' depth is outermost.
void multiply_warp_group(Operand type, bool transposed, int n, float* sum, std::uint64_t a, std::uint64_t b);

template <class T, int N>
void warp_group_multiply(float (&sum)[N][4], std::uint64_t a, std::uint64_t b) {
  static_assert(N == 8 || N == 16 || N == 32);
  multiply_warp_group(OperandOf<T>::value, false, N, &sum[0][0], a, b);
}
template <class T, int N>
void warp_group_multiply_transposed(float (&sum)[N][4], std::uint64_t a, std::uint64_t b) {
  static_assert(N == 8 || N == 16 || N == 32);
  multiply_warp_group(OperandOf<T>::value, true, N, &sum[0][0], a, b);
}

inline constexpr unsigned threads_per_group = 128;
inline constexpr unsigned max_groups = 8;  // of a block

/// The products of one thread.
struct ThreadProducts {
  /// Registers that products add to.
  struct Sums {
    float* first;
    int n;
    std::uint64_t end;  // one past the number of the last product
    bool pending;       // NaN until that was waited for
  };

  std::uint64_t started = 0;
  std::uint64_t finished = 0;
  std::uint64_t commits = 0;
  std::vector<std::uint64_t> group_ends;  // of unfinished groups, one past the last product
  bool fenced = false;                    // since the last product that was waited for
  std::vector<Sums> sums;
};

/// Those of the running block. Products are numbered, in each group of warps; they are computed when all
/// threads have started them and one waits.
class WarpGroups {
 public:
  explicit WarpGroups(BlockRunner& runner);

  void begin_block();

  // For the calling thread.
  void fence();
  void commit();
  void wait(int pending_groups);
  void multiply(Operand type, bool transposed, int n, float* sum, std::uint64_t a, std::uint64_t b,
                const void* place);

 private:
  /// Rows of 128 bytes in groups of eight, of which the product takes 32 bytes each, swizzled. Transposed: 64
  /// rows of the operand in each of 16 such rows, further ones in blocks of their own.
  struct Matrix {
    const std::byte* begin;  // of the eight rows' 1024 bytes
    std::size_t slice;       // bytes before the part
    std::size_t eight_rows;  // bytes from eight rows to the next
    std::size_t block;       // bytes from 64 rows of a transposed operand to the next
  };
  struct Product {
    Operand type;
    bool transposed;
    int n;
    std::size_t sums;  // which, in the order in which threads first used them
    std::uint64_t a;
    std::uint64_t b;
    std::uint64_t commits;  // before it
    Matrix a_rows;
    Matrix b_rows;
    unsigned threads = 0;  // that have started it
    unsigned warps = 0;    // the same, a bit for each
  };
  struct Waiting {
    unsigned thread;
    std::uint64_t products;
  };
  struct Group {
    std::uint64_t computed = 0;
    std::uint64_t started = 0;             // by all threads
    std::deque<Product> products;          // from number `computed`
    std::vector<std::vector<float>> sums;  // [64][8 n] each
    std::vector<Waiting> waiting;
  };

  [[nodiscard]] Group& group();
  [[nodiscard]] Matrix decode(std::uint64_t descriptor, bool transposed, int rows, const char* which);
  std::size_t begin_sums(Group& group, int n, float* sum);
  void check_for_races(const Product& product, const void* place);
  void compute(Group& group, std::uint64_t end);
  template <class Message>
  [[noreturn]] void fail(const Message& message);

  BlockRunner& runner_;
  std::vector<Group> groups_;
  std::vector<std::uint16_t> a_;  // operands of a run of products, [rows][depth]
  std::vector<std::uint16_t> b_;
};

}  // namespace tpn::cuda_on_cpu
