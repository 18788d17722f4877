// Sums over many pixels that come out the same for any number of threads.
#pragma once

#include <cstdint>

#include "kernels/cpu/parallel.h"

namespace tpn::cpu {

/// Into how many sections a sum is divided, whatever the number of threads; the sections are added in order.
inline constexpr std::int64_t sections = 16;

/// Calls body(section, begin, end) for every section of [0, count); some may be empty.
template <class Body>
void for_each_section(std::int64_t count, const Body& body) {
  parallel_for(sections, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t s = first; s < last; ++s) {
      body(s, count * s / sections, count * (s + 1) / sections);
    }
  });
}

}  // namespace tpn::cpu
