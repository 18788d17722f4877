#include "tests/cuda_on_cpu/warp_group.h"

#include <algorithm>
#include <cstring>

#include "tests/cuda_on_cpu/block.h"
#include "tests/cuda_on_cpu/fragment_product.h"
#include "tests/cuda_on_cpu/race_checker.h"
#include "tests/cuda_on_cpu/tensor_map.h"

namespace tpn::cuda_on_cpu {

namespace {

constexpr int a_rows = 64;
constexpr std::size_t operand_row_bytes = 128;
constexpr std::size_t slice_bytes = 32;  // of a row, one product's depth
constexpr std::size_t slice_elements = 16;
constexpr std::size_t atom_bytes = 8 * operand_row_bytes;  // within which chunks change places
constexpr std::size_t block_rows = 64;  // of a transposed operand, in its rows of 128 bytes

std::size_t floats(int n) {
  return std::size_t{4} * static_cast<unsigned>(n);  // of one lane
}

/// Calls visit(first float in the registers, place in the rows of the group's sums) for each two neighbours.
template <class Visit>
void for_each_pair(unsigned thread, int n, const Visit& visit) {
  const std::size_t lane = thread % lanes_per_warp;
  const std::size_t row = thread % threads_per_group / lanes_per_warp * 16 + lane / 4;
  const std::size_t columns = std::size_t{8} * static_cast<unsigned>(n);
  for (std::size_t j = 0; j < static_cast<std::size_t>(n); ++j) {
    for (std::size_t half = 0; half < 2; ++half) {
      visit(4 * j + 2 * half, (row + 8 * half) * columns + 8 * j + lane % 4 * 2);
    }
  }
}

bool is_nan_pattern(const float* values, std::size_t count) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(values);
  return std::all_of(bytes, bytes + count * sizeof(float), [](unsigned char byte) { return byte == 0xff; });
}

/// Calls visit(row, chunk of the part, offset from the matrix's begin).
template <class Visit>
void for_each_chunk(std::size_t slice, std::size_t eight_rows, std::size_t rows, const Visit& visit) {
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t chunk = 0; chunk < slice_bytes / swizzle_chunk_bytes; ++chunk) {
      const std::size_t byte = (slice + chunk * swizzle_chunk_bytes) ^ row % 8 * swizzle_chunk_bytes;
      visit(row, chunk, row / 8 * eight_rows + row % 8 * operand_row_bytes + byte);
    }
  }
}

/// Calls visit(first of eight rows, element of depth, offset from the matrix's begin) for a transposed
/// matrix.
template <class Visit>
void for_each_transposed_chunk(std::size_t eight_deep, std::size_t block, std::size_t rows,
                               const Visit& visit) {
  for (std::size_t row = 0; row < rows; row += block_rows) {
    for (std::size_t depth = 0; depth < slice_elements; ++depth) {
      for (std::size_t chunk = 0; chunk < operand_row_bytes / swizzle_chunk_bytes; ++chunk) {
        visit(row + 8 * chunk, depth,
              row / block_rows * block + depth / 8 * eight_deep + depth % 8 * operand_row_bytes +
                  (chunk ^ depth % 8) * swizzle_chunk_bytes);
      }
    }
  }
}

}  // namespace

WarpGroups::WarpGroups(BlockRunner& runner) : runner_(runner), groups_(max_groups) {}

void WarpGroups::begin_block() {
  for (Group& group : groups_) {
    group.computed = group.started = 0;
    group.products.clear();
    group.waiting.clear();
  }
}

/// message: gives the words. The block ends without unwinding the caller, who must therefore hold no memory.
template <class Message>
void WarpGroups::fail(const Message& message) {
  runner_.report(FindingKind::product_misuse, message());
  runner_.abort();
}

WarpGroups::Group& WarpGroups::group() {
  const unsigned index = runner_.thread().linear / threads_per_group;
  const dim3& block = runner_.launch().block;
  if ((index + 1) * threads_per_group > block.x * block.y * block.z) {
    runner_.report(FindingKind::divergent_collective, "wgmma needs a group of four warps");
    runner_.abort();
  }
  return groups_[index];
}

WarpGroups::Matrix WarpGroups::decode(std::uint64_t descriptor, bool transposed, int rows,
                                      const char* which) {
  const auto bits = [descriptor](unsigned first, unsigned count) {
    return static_cast<std::uint32_t>(descriptor >> first & ((1U << count) - 1));
  };
  const auto name = [which] { return "wgmma with a descriptor of operand " + std::string(which); };
  if (bits(62, 2) != 1)
    fail([&] { return name() + " whose swizzling is not that of 128 bytes (bits 62 and 63)"; });
  if (bits(49, 3) != 0)
    fail([&] { return name() + " with a base offset (bits 49 to 51), which is not emulated"; });
  if ((bits(14, 2) | bits(30, 2) | bits(46, 3) | bits(52, 10)) != 0)
    fail([&] { return name() + " with unused bits that are not 0"; });
  const std::uint32_t start = bits(0, 14) * 16;
  const std::size_t eight_rows = std::size_t{bits(32, 14)} * 16;
  const std::uint32_t slice = start % atom_bytes;
  if (slice >= operand_row_bytes || slice % slice_bytes != 0) {
    fail([&] {
      return name() + " that begins at shared address " + std::to_string(start) +
             ", which is not a multiple of 1024 plus 0, 32, 64 or 96";
    });
  }
  if (transposed && slice != 0) {
    fail([&] { return name() + " that begins within eight rows of depth"; });
  }
  const auto atoms = transposed ? slice_elements / 8 : static_cast<std::size_t>(rows) / 8;
  if (eight_rows % atom_bytes != 0 || (eight_rows == 0 && atoms > 1)) {
    fail([&] {
      return name() + " with " + std::to_string(eight_rows) + " bytes from eight rows to the next";
    });
  }
  const std::size_t blocks = transposed ? static_cast<std::size_t>(rows) / block_rows : 1;
  const std::size_t block = std::size_t{bits(16, 14)} * 16;
  if (blocks > 1 && (block == 0 || block % atom_bytes != 0)) {
    fail([&] { return name() + " with " + std::to_string(block) + " bytes from 64 rows to the next"; });
  }
  const std::byte* begin = runner_.shared().at(start - slice);
  for (std::size_t i = 0; i < blocks; ++i) {
    if (runner_.shared().valid(begin + i * block, (atoms - 1) * eight_rows + atom_bytes)) continue;
    runner_.report(FindingKind::shared_out_of_bounds, name() + " of " + std::to_string(rows) +
                                                          " rows at shared address " + std::to_string(start) +
                                                          ", which are not all in the block's shared memory");
    runner_.abort();
  }
  return {begin, slice, eight_rows, block};
}

std::size_t WarpGroups::begin_sums(Group& group, int n, float* sum) {
  DeviceThread& thread = runner_.thread();
  ThreadProducts& mine = thread.products;
  const auto found = std::find_if(mine.sums.begin(), mine.sums.end(), [&](const ThreadProducts::Sums& other) {
    return other.first == sum && other.n == n;
  });
  const auto index = static_cast<std::size_t>(found - mine.sums.begin());
  const bool known = found != mine.sums.end();
  if (!known) mine.sums.push_back({sum, n, 0, false});
  ThreadProducts::Sums& sums = mine.sums[index];
  sums.end = mine.started + 1;
  if (sums.pending) return index;

  if (group.sums.size() <= index) group.sums.resize(index + 1);
  std::vector<float>& place = group.sums[index];
  place.resize(std::max(place.size(), std::size_t{a_rows} * 2 * floats(n)));
  bool touched = !known;
  for_each_pair(thread.linear, n, [&](std::size_t from, std::size_t to) {
    touched |= std::memcmp(&place[to], sum + from, 2 * sizeof(float)) != 0;
    std::memcpy(&place[to], sum + from, 2 * sizeof(float));
  });
  if (touched && !mine.fenced) {
    runner_.report(
        FindingKind::product_misuse,
        "wgmma without a warp_group_fence since its sums were last waited for, or at all, although "
        "they were touched");
  }
  sums.pending = true;
  std::memset(sum, 0xff, floats(n) * sizeof(float));
  return index;
}

void WarpGroups::multiply(Operand type, bool transposed, int n, float* sum, std::uint64_t a, std::uint64_t b,
                          const void* place) {
  Group& all = group();
  DeviceThread& thread = runner_.thread();
  ThreadProducts& mine = thread.products;
  const std::size_t sums = begin_sums(all, n, sum);
  const std::size_t index = mine.started++ - all.computed;
  if (index == all.products.size()) {
    all.products.push_back({type, transposed, n, sums, a, b, mine.commits, decode(a, transposed, a_rows, "a"),
                            decode(b, transposed, 8 * n, "b")});
  }
  Product& product = all.products[index];
  if (product.type != type || product.transposed != transposed || product.n != n || product.a != a ||
      product.b != b || product.sums != sums || product.commits != mine.commits) {
    runner_.report(FindingKind::divergent_collective,
                   "calls wgmma with other operands, or after other commits, than its group of four warps");
    runner_.abort();
  }
  const unsigned warp = 1U << thread.warp() % (threads_per_group / lanes_per_warp);
  if ((product.warps & warp) == 0) check_for_races(product, place);
  product.warps |= warp;
  if (++product.threads < threads_per_group) return;
  ++all.started;
  std::erase_if(all.waiting, [&](const Waiting& other) {
    if (other.products > all.started) return false;
    runner_.wake(other.thread);
    return true;
  });
}

void WarpGroups::check_for_races(const Product& product, const void* place) {
  if (!race::enabled) return;
  const unsigned thread = runner_.thread().linear;
  const auto check = [&](const Matrix& matrix, int row_count) {
    const auto rows = static_cast<std::size_t>(row_count);
    const auto read = [&](std::size_t, std::size_t, std::size_t offset) {
      race::product_reads(thread, product.commits, matrix.begin + offset, swizzle_chunk_bytes, place);
    };
    product.transposed ? for_each_transposed_chunk(matrix.eight_rows, matrix.block, rows, read)
                       : for_each_chunk(matrix.slice, matrix.eight_rows, rows, read);
  };
  check(product.a_rows, a_rows);
  check(product.b_rows, 8 * product.n);
}

void WarpGroups::fence() {
  static_cast<void>(group());
  runner_.thread().products.fenced = true;
}

void WarpGroups::commit() {
  ThreadProducts& mine = runner_.thread().products;
  mine.group_ends.push_back(mine.started);
  ++mine.commits;
}

void WarpGroups::wait(int pending_groups) {
  runner_.let_others_run();
  DeviceThread& thread = runner_.thread();
  ThreadProducts& mine = thread.products;
  const auto keep = static_cast<std::size_t>(pending_groups);
  if (mine.group_ends.size() <= keep) return;
  const std::size_t groups = mine.group_ends.size() - keep;
  const std::uint64_t end = mine.group_ends[groups - 1];
  Group& all = group();
  while (all.started < end) {
    all.waiting.push_back({thread.linear, end});
    runner_.wait_for(name_of_group_wait);
  }
  if (all.computed < end) compute(all, end);
  mine.group_ends.erase(mine.group_ends.begin(),
                        mine.group_ends.begin() + static_cast<std::ptrdiff_t>(groups));
  for (std::size_t i = 0; i < mine.sums.size(); ++i) {
    ThreadProducts::Sums& sums = mine.sums[i];
    if (!sums.pending || sums.end > end) continue;
    sums.pending = false;
    if (!is_nan_pattern(sums.first, floats(sums.n))) {
      runner_.report(FindingKind::product_misuse,
                     "touched the sums of a wgmma before it had waited for them");
    }
    for_each_pair(thread.linear, sums.n, [&](std::size_t to, std::size_t from) {
      std::memcpy(sums.first + to, &all.sums[i][from], 2 * sizeof(float));
    });
  }
  if (end > mine.finished) mine.fenced = false;
  mine.finished = end;
  race::products_waited(thread.linear, mine.commits - keep);
}

void WarpGroups::compute(Group& group, std::uint64_t end) {
  constexpr std::size_t most = max_depth / slice_elements;
  while (group.computed < end) {
    // Products that follow each other and have the same sums are one, of more depth.
    const Product& first = group.products.front();
    std::size_t count = 1;
    while (count < std::min<std::size_t>(most, end - group.computed) &&
           group.products[count].sums == first.sums && group.products[count].type == first.type &&
           group.products[count].transposed == first.transposed) {
      ++count;
    }
    const std::size_t depth = count * slice_elements;
    const auto gather = [&](std::vector<std::uint16_t>& elements, auto matrix, int row_count) {
      const auto rows = static_cast<std::size_t>(row_count);
      elements.resize(rows * depth);
      for (std::size_t i = 0; i < count; ++i) {
        const Matrix& from = group.products[i].*matrix;
        if (first.transposed) {
          for_each_transposed_chunk(from.eight_rows, from.block, rows,
                                    [&](std::size_t row, std::size_t d, std::size_t offset) {
                                      std::uint16_t eight[8];
                                      std::memcpy(eight, from.begin + offset, swizzle_chunk_bytes);
                                      for (std::size_t r = 0; r < 8; ++r) {
                                        elements[(row + r) * depth + i * slice_elements + d] = eight[r];
                                      }
                                    });
          continue;
        }
        for_each_chunk(from.slice, from.eight_rows, rows,
                       [&](std::size_t row, std::size_t chunk, std::size_t offset) {
                         std::memcpy(&elements[row * depth + i * slice_elements + chunk * 8],
                                     from.begin + offset, swizzle_chunk_bytes);
                       });
      }
    };
    gather(a_, &Product::a_rows, a_rows);
    gather(b_, &Product::b_rows, 8 * first.n);
    run_tile_product({first.type, a_rows, 8 * first.n, static_cast<int>(depth), a_.data(), b_.data(),
                      group.sums[first.sums].data()});
    group.products.erase(group.products.begin(), group.products.begin() + static_cast<std::ptrdiff_t>(count));
    group.computed += count;
  }
}

void warp_group_fence() {
  BlockRunner::current()->warp_groups().fence();
}
void warp_group_commit() {
  BlockRunner::current()->warp_groups().commit();
}
void warp_group_wait(int pending_groups) {
  BlockRunner::current()->warp_groups().wait(pending_groups);
}
void multiply_warp_group(Operand type, bool transposed, int n, float* sum, std::uint64_t a, std::uint64_t b) {
  BlockRunner::current()->warp_groups().multiply(type, transposed, n, sum, a, b, __builtin_return_address(0));
}

}  // namespace tpn::cuda_on_cpu
