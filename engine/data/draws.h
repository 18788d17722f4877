// Random numbers for one clip, by counting: what is drawn depends on the seed, the epoch and the clip's
// position in it, not on what other clips drew or on which thread.
#pragma once

#include <cstdint>

#include "kernels/philox.h"

namespace tpn {

class Draws {
 public:
  /// Of the clip at that position of the epoch.
  Draws(std::uint64_t seed, std::int64_t epoch, std::uint64_t position)
      : key_{{low(seed), high(seed) ^ 0x636c6970U}},  // dropout counts with the same seed
        counter_{{0, low(position), high(position), low(static_cast<std::uint64_t>(epoch))}} {}

  /// Uniform in [0, 1): a multiple of 2^-53.
  double uniform() { return static_cast<double>(bits() >> 11U) * 0x1p-53; }
  double uniform(double from, double to) { return from + (to - from) * uniform(); }
  /// A whole number in [0, count), of at most 2^32; none is preferred by more than count / 2^32.
  std::int64_t below(std::int64_t count) {
    return static_cast<std::int64_t>((bits() >> 32U) * static_cast<std::uint64_t>(count) >> 32U);
  }

 private:
  static constexpr std::uint32_t low(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
  static constexpr std::uint32_t high(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32U); }

  /// 64 more bits.
  std::uint64_t bits() {
    if (left_ == 0) {
      words_ = philox(counter_, key_);
      ++counter_.word[0];
      left_ = 2;
    }
    --left_;
    const int at = 2 * left_;
    return std::uint64_t{words_[at]} << 32U | words_[at + 1];
  }

  PhiloxKey key_;
  PhiloxWords counter_;
  PhiloxWords words_{};
  int left_ = 0;  // pairs of words not handed out
};

}  // namespace tpn
