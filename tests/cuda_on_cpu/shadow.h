// What the race checker remembers of every 4 bytes of device and shared memory: who wrote them last and who
// read them since. Bytes are remembered one by one where threads use them so.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tpn::cuda_on_cpu::race {

/// One or several accesses: by whom and when. As a number 0 is none.
///   bits 33-63  block: a serial number over all blocks that ever ran, from 1
///   bits 22-32  thread of the block, or who acts for threads later, see Clock
///   bits  2-21  tick of the block's clock at which the thread last waited for others
///   bits  0-1   kind
/// With a block of 0 it says what was not written by a kernel, see Memory.
class Record {
 public:
  // Kinds of records of writes.
  static constexpr unsigned plain = 0;
  static constexpr unsigned atomic = 1;
  static constexpr unsigned pending_copy = 2;  // a cp.async that was not waited for, a box that has not come
  static constexpr unsigned many_atomics = 3;  // unordered; thread 1: of several blocks, thread 0: of one
  // Kinds of records of reads.
  static constexpr unsigned one_thread = 0;
  static constexpr unsigned one_warp = 1;   // several lanes; the thread is the warp's number
  static constexpr unsigned one_block = 2;  // thread 1: a set that the clock knows by the tick
  static constexpr unsigned many_blocks = 3;

  static constexpr std::uint32_t max_tick = (1U << 20) - 1;

  constexpr Record() = default;
  constexpr explicit Record(std::uint64_t bits) : bits_(bits) {}
  constexpr Record(std::uint32_t block, unsigned thread, std::uint32_t tick, unsigned kind)
      : bits_(std::uint64_t{block} << 33 | std::uint64_t{thread} << 22 | std::uint64_t{tick} << 2 | kind) {}

  [[nodiscard]] constexpr std::uint32_t block() const { return static_cast<std::uint32_t>(bits_ >> 33); }
  [[nodiscard]] constexpr unsigned thread() const { return static_cast<unsigned>(bits_ >> 22 & 0x7ffU); }
  [[nodiscard]] constexpr std::uint32_t tick() const {
    return static_cast<std::uint32_t>(bits_ >> 2) & max_tick;
  }
  [[nodiscard]] constexpr unsigned kind() const { return static_cast<unsigned>(bits_ & 3U); }
  [[nodiscard]] constexpr bool none() const { return bits_ == 0; }
  [[nodiscard]] constexpr std::uint64_t bits() const { return bits_; }
  /// Of reads.
  [[nodiscard]] constexpr bool is_set() const { return kind() == one_block && thread() == 1; }
  constexpr bool operator==(const Record&) const = default;

 private:
  std::uint64_t bits_ = 0;
};

inline constexpr Record no_memory{0};  // as a write: the program may not touch it
inline constexpr Record never_written{1};
inline constexpr Record split{2};  // of a word: see its bytes

struct Cell {
  Record write;
  Record read;

  bool operator==(const Cell&) const = default;
};

struct Word {
  Cell cell;
  std::uint32_t write_place = 0;  // of the last write and read, see place_of
  std::uint32_t read_place = 0;
};

/// The words and bytes of one range of addresses.
class Shadow {
 public:
  Shadow(const void* begin, std::size_t size);
  ~Shadow();
  Shadow(const Shadow&) = delete;
  Shadow& operator=(const Shadow&) = delete;

  [[nodiscard]] bool contains(const void* address) const { return offset(address) < size_; }
  [[nodiscard]] std::size_t offset(const void* address) const {
    return static_cast<std::size_t>(static_cast<const std::byte*>(address) - begin_);
  }
  [[nodiscard]] const std::byte* address(std::size_t offset) const { return begin_ + offset; }

  [[nodiscard]] Word& word(std::size_t offset) { return words_[offset / 4]; }
  /// Of the 4 bytes of the word at the offset, which are meaningful where it is split.
  [[nodiscard]] Cell* bytes(std::size_t offset) { return bytes_ + offset / 4 * 4; }

  void split_word(std::size_t offset);
  /// Undoes split_word where all bytes say the same.
  void join_word(std::size_t offset);

  /// Lets all bytes of the range have been written by `write`, and read by nobody.
  void set(const void* address, std::size_t size, Record write);

 private:
  const std::byte* begin_;
  std::size_t size_;
  Word* words_;
  Cell* bytes_;
};

}  // namespace tpn::cuda_on_cpu::race
