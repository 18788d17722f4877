// The primitives that only devices of compute capability 9.0 have.
#pragma once

#include <vector>

#include "tests/cuda_primitives/primitives.h"

namespace tpn::test {

/// As run_primitives(); the words of a box are those in shared memory, of a product those of its threads, one
/// after the other.
std::vector<Primitive> run_hopper_primitives();

}  // namespace tpn::test
