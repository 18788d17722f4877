// Whether threads can be started. OpenMP ends the process when it cannot start one.
#pragma once

namespace tpn::cpu {

/// Starts threads until there are `count` besides what the process has but for this one, and ends them.
/// Returns how many there were, this one included: less than `count` where the system refused one.
int try_threads(int count);

/// Throws Error when try_threads() gets fewer.
void require_threads(int count);

/// Has OpenMP start the other threads of the calling thread's pool, in the memory that those of try_threads()
/// left.
void start_pool(int count);

}  // namespace tpn::cpu
