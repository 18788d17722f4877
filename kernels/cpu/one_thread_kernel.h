// Operations whose sums would be divided among threads, computed by one.
#pragma once

#include <functional>
#include <memory>

#include "kernels/backend.h"

namespace tpn::cpu {

/// The kernel that `compile` makes, which is compiled for and runs with one thread, so that its results do
/// not depend on how many the calling thread's pool has.
std::unique_ptr<Kernel> with_one_thread(const std::function<std::unique_ptr<Kernel>()>& compile);

}  // namespace tpn::cpu
