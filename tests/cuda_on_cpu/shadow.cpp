#include "tests/cuda_on_cpu/shadow.h"

#include <algorithm>
#include <new>

#include <sys/mman.h>

namespace tpn::cuda_on_cpu::race {

namespace {

/// Zeros, which take memory only where they are touched.
void* reserve(std::size_t size) {
  void* memory =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return memory;
}

}  // namespace

Shadow::Shadow(const void* begin, std::size_t size)
    : begin_(static_cast<const std::byte*>(begin)),
      size_(size),
      words_(static_cast<Word*>(reserve(size / 4 * sizeof(Word)))),
      bytes_(static_cast<Cell*>(reserve(size * sizeof(Cell)))) {}

Shadow::~Shadow() {
  munmap(words_, size_ / 4 * sizeof(Word));
  munmap(bytes_, size_ * sizeof(Cell));
}

void Shadow::split_word(std::size_t offset) {
  Word& whole = word(offset);
  if (whole.cell.write == split) return;
  std::fill_n(bytes(offset), 4, whole.cell);
  whole.cell = {split, {}};
}

void Shadow::join_word(std::size_t offset) {
  const Cell* all = bytes(offset);
  if (all[0] == all[1] && all[1] == all[2] && all[2] == all[3]) word(offset).cell = all[0];
}

void Shadow::set(const void* address, std::size_t size, Record write) {
  std::size_t at = offset(address);
  const std::size_t end = at + size;
  while (at < end) {
    if (at % 4 == 0 && end - at >= 4) {
      word(at) = {{write, {}}, 0, 0};
      at += 4;
    } else {
      split_word(at);
      bytes(at)[at % 4] = {write, {}};
      ++at;
      if (at % 4 == 0 || at == end) join_word(at - 1);
    }
  }
}

}  // namespace tpn::cuda_on_cpu::race
