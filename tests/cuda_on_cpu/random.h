// A small generator of pseudo-random numbers: xorshift64*.
#pragma once

#include <cstdint>

namespace tpn::cuda_on_cpu {

class Random {
 public:
  explicit Random(std::uint64_t seed = 1) { reseed(seed); }

  void reseed(std::uint64_t seed) {
    // Neighbouring seeds are spread over all bits.
    seed = (seed + 0x9e3779b97f4a7c15U) * 0xbf58476d1ce4e5b9U;
    seed = (seed ^ seed >> 27) * 0x94d049bb133111ebU;
    state_ = (seed ^ seed >> 31) | 1U;
  }

  std::uint32_t operator()() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return static_cast<std::uint32_t>(state_ * 0x2545f4914f6cdd1dU >> 32);
  }

  /// Below `bound`.
  std::uint32_t operator()(std::uint32_t bound) {
    return static_cast<std::uint32_t>(std::uint64_t{(*this)()} * bound >> 32);
  }

 private:
  std::uint64_t state_ = 1;
};

}  // namespace tpn::cuda_on_cpu
