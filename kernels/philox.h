// Philox4x32-10: random numbers by counting (Salmon, Moraes, Dror, Shaw: "Parallel Random Numbers: As Easy as
// 1, 2, 3", SC 2011). Any number of any series can be had at once, so that results do not depend on threads.
#pragma once

#include <cstdint>

#include "kernels/host_device.h"

namespace tpn {

/// What is counted, and what is drawn.
struct PhiloxWords {
  std::uint32_t word[4];

  TPN_HOST_DEVICE constexpr std::uint32_t operator[](int i) const { return word[i]; }
  bool operator==(const PhiloxWords&) const = default;
};

struct PhiloxKey {
  std::uint32_t word[2];
};

/// Four numbers, uniform in [0, 2^32), of the series that the key chooses.
TPN_HOST_DEVICE constexpr PhiloxWords philox(PhiloxWords counter, PhiloxKey key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0],
                        b = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32U) ^ counter[1] ^ key.word[0], static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32U) ^ counter[3] ^ key.word[1],
               static_cast<std::uint32_t>(a)};
    key.word[0] += 0x9E3779B9U;
    key.word[1] += 0xBB67AE85U;
  }
  return counter;
}

}  // namespace tpn
