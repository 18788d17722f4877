// Finds the host reading or writing pinned memory that an unfinished copy will write.
#pragma once

#include <cstddef>

namespace tpn::cuda_on_cpu {

/// Until released, the first touch of these bytes by the host is a finding (under the address sanitizer its
/// error, which ends the program). System calls given the memory fail with EFAULT.
void guard_host_memory(std::byte* begin, std::size_t size);
void release_host_memory(std::byte* begin, std::size_t size);

/// Lets touches of memory that was closed become findings.
void install_fault_handler();

}  // namespace tpn::cuda_on_cpu
