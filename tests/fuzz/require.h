// What a fuzz target claims of the code under test.
#pragma once

namespace tpn::fuzz {

inline void require(bool condition) {
  if (!condition) __builtin_trap();
}

}  // namespace tpn::fuzz
