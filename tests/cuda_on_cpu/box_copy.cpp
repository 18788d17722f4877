#include "tests/cuda_on_cpu/box_copy.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "tests/cuda_on_cpu/block.h"
#include "tests/cuda_on_cpu/memory.h"
#include "tests/cuda_on_cpu/race_checker.h"

namespace tpn::cuda_on_cpu {

namespace {

constexpr std::uint32_t destination_alignment = 128;
constexpr std::size_t max_row_bytes = std::size_t{256} * 8;

using Coordinates = TensorMap::PerDimension<std::int64_t>;

/// The first and one past the last index, among those of the box in a dimension, that lie in the tensor.
struct Inside {
  std::int64_t begin;
  std::int64_t end;
};
Inside inside(const TensorMap& map, const Coordinates& at, std::size_t dimension) {
  const std::int64_t step = map.steps[dimension];
  const auto extent = static_cast<std::int64_t>(map.extents[dimension]);
  const std::int64_t count = map.counts[dimension];
  const std::int64_t first = at[dimension];
  const std::int64_t begin = first >= 0 ? 0 : (-first + step - 1) / step;
  const std::int64_t end = first >= extent ? 0 : (extent - first + step - 1) / step;
  return {std::min(begin, count), std::min(end, count)};
}

/// Calls row(index, first byte of the part in the tensor or null) for the rows of the box.
template <class Row>
void for_each_row(const TensorMap& map, const Coordinates& at, const Row& row) {
  const Inside columns = inside(map, at, 0);
  const Coordinates counts{1, map.counts[1], map.counts[2], map.counts[3], map.counts[4]};
  Coordinates index{};
  for (std::size_t i = 0; i < map.rows(); ++i) {
    bool exists = columns.begin < columns.end;
    std::int64_t offset = (at[0] + columns.begin) * map.element_bytes;
    for (std::size_t d = 1; d < map.rank; ++d) {
      const std::int64_t place = at[d] + index[d] * map.steps[d];
      exists &= place >= 0 && place < static_cast<std::int64_t>(map.extents[d]);
      offset += place * static_cast<std::int64_t>(map.strides[d]);
    }
    row(i, exists ? map.address + offset : nullptr);
    for (std::size_t d = 1; d < map.rank && ++index[d] == counts[d]; ++d) index[d] = 0;
  }
}

}  // namespace

void BoxCopies::check(const Copy& copy) {
  const SharedMemory& shared = runner_.shared();
  // The block ends without unwinding this.
  const auto fail = [&](FindingKind kind, const auto& message) {
    runner_.report(kind, message());
    runner_.abort();
  };
  if (!shared.valid(copy.shared, copy.bytes())) {
    fail(FindingKind::shared_out_of_bounds, [&] {
      return "copies a box of " + std::to_string(copy.bytes()) + " bytes to " +
             (shared.contains(copy.shared) ? shared.describe(copy.shared) : "what is not shared memory");
    });
  }
  if (shared.number(copy.shared) % destination_alignment != 0) {
    fail(FindingKind::misaligned_access, [&] {
      return "copies a box to shared memory that is not aligned to 128 bytes, " +
             shared.describe(copy.shared);
    });
  }
  // The part inside of the tensor must be of one allocation.
  std::int64_t first = 0;
  std::int64_t last = copy.map.element_bytes;  // one past
  for (std::size_t d = 0; d < TensorMap::max_rank; ++d) {
    const Inside range = inside(copy.map, copy.at, d);
    if (range.begin >= range.end) return;
    const auto stride = static_cast<std::int64_t>(copy.map.strides[d]);
    first += (copy.at[d] + range.begin * copy.map.steps[d]) * stride;
    last += (copy.at[d] + (range.end - 1) * copy.map.steps[d]) * stride;
  }
  const std::byte* begin = copy.map.address + first;
  const std::optional<Allocation> allocation = find_allocation(begin);
  if (!allocation.has_value() || allocation->kind != MemoryKind::device ||
      copy.map.address + last > allocation->begin + allocation->size) {
    fail(FindingKind::global_out_of_bounds, [&] {
      return "copies a box of " + std::to_string(last - first) + " bytes from " +
             describe_device_address(begin);
    });
  }
  // Told here, since the address sanitizer would end the program when the box is read.
  if (allocation->closed) handle_touch_of_other_device(begin);
}

void BoxCopies::read_for_races(const Copy& copy) const {
  if (!race::enabled) return;
  const Inside columns = inside(copy.map, copy.at, 0);
  const auto bytes = static_cast<std::size_t>(columns.end - columns.begin) * copy.map.element_bytes;
  for_each_row(copy.map, copy.at, [&](std::size_t, const std::byte* source) {
    if (source != nullptr) race::access(copy.thread, source, bytes, race::Access::read, copy.place);
  });
}

void BoxCopies::start(void* shared, const CUtensorMap_st& map, void* barrier, const int* at, int rank,
                      const void* place) {
  runner_.let_others_run();
  Copy copy{{}, {}, static_cast<std::byte*>(shared), 0, runner_.thread().linear, place};
  if (!decode(map, copy.map) || copy.map.rank != rank) {
    runner_.report(FindingKind::box_copy_misuse, "copies a box of " + std::to_string(rank) +
                                                     " dimensions with what is no tensor map of so many");
    runner_.abort();
  }
  std::copy_n(at, rank, copy.at.begin());
  check(copy);
  copy.barrier = runner_.barriers().for_copy(barrier, place);
  read_for_races(copy);
  race::box_copy_begins(copy.thread, copy.barrier, runner_.barriers().phase(copy.barrier), shared,
                        copy.bytes(), place);
  std::memset(shared, nan_byte, copy.bytes());
  copies_.push_back(copy);
}

bool BoxCopies::finish_one(Random& random) {
  if (copies_.empty()) return false;
  const std::size_t chosen = random(static_cast<std::uint32_t>(copies_.size()));
  const Copy copy = copies_[chosen];
  copies_.erase(copies_.begin() + static_cast<std::ptrdiff_t>(chosen));
  finish(copy);
  return true;
}

void BoxCopies::finish(const Copy& copy) {
  read_for_races(copy);
  race::box_copy_ends(copy.thread, copy.barrier, runner_.barriers().phase(copy.barrier), copy.shared,
                      copy.bytes(), copy.place);
  const Inside columns = inside(copy.map, copy.at, 0);
  const std::size_t row_bytes = copy.map.row_bytes();
  const auto skipped = static_cast<std::size_t>(columns.begin) * copy.map.element_bytes;
  const auto copied = static_cast<std::size_t>(std::max<std::int64_t>(columns.end - columns.begin, 0)) *
                      copy.map.element_bytes;
  const std::uint32_t first_number = runner_.shared().number(copy.shared);
  for_each_row(copy.map, copy.at, [&](std::size_t index, const std::byte* source) {
    std::array<std::byte, max_row_bytes> row;
    std::memset(row.data(), 0, row_bytes);
    if (source != nullptr) std::memcpy(row.data() + skipped, source, copied);
    std::byte* to = copy.shared + index * row_bytes;
    if (!copy.map.swizzled) {
      std::memcpy(to, row.data(), row_bytes);
      return;
    }
    // Rows are the 128 bytes within which chunks change places.
    const std::size_t change = (first_number / row_bytes + index) % 8 * swizzle_chunk_bytes;
    for (std::size_t byte = 0; byte < row_bytes; byte += swizzle_chunk_bytes) {
      std::memcpy(to + (byte ^ change), row.data() + byte, swizzle_chunk_bytes);
    }
  });
  runner_.barriers().bytes_came(copy.barrier, copy.bytes());
}

void prefetch_map(const CUtensorMap_st& map) {
  TensorMap decoded;
  if (decode(map, decoded)) return;
  BlockRunner& runner = *BlockRunner::current();
  runner.report(FindingKind::box_copy_misuse, "prefetches what is no tensor map");
  runner.abort();
}

void copy_box(void* shared, const CUtensorMap_st& map, void* barrier, const int* at, int rank) {
  BlockRunner::current()->box_copies().start(shared, map, barrier, at, rank, __builtin_return_address(0));
}

}  // namespace tpn::cuda_on_cpu
