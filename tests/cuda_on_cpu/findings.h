// Where the parts of the emulator put what they find.
#pragma once

#include "tests/cuda_on_cpu/control.h"

namespace tpn::cuda_on_cpu {

/// Keeps the finding unless one of the same kind, kernel and message but for numbers is kept already.
void add_finding(Finding finding);

}  // namespace tpn::cuda_on_cpu
