#include "tests/cuda_on_cpu/sanitizer.h"

#ifdef TPN_ADDRESS_SANITIZER

#include <cstdio>

#include "tests/cuda_on_cpu/block.h"
#include "tests/cuda_on_cpu/device_functions.h"
#include "tests/cuda_on_cpu/memory.h"

namespace tpn::cuda_on_cpu {

namespace {

/// The sanitizer's report does not know kernels.
void name_kernel_of_error(const char* /*report*/) {
  BlockRunner* runner = BlockRunner::current();
  if (runner == nullptr) return;
  const void* address = __asan_get_report_address();
  const std::string place = runner->shared().contains(address) ? runner->shared().describe(address)
                                                               : describe_device_address(address);
  std::fprintf(stderr, "CUDA on CPU: %s, block (%u,%u,%u), thread (%u,%u,%u): %s of size %zu at %s\n",
               runner->launch().kernel.c_str(), blockIdx.x, blockIdx.y, blockIdx.z, threadIdx.x, threadIdx.y,
               threadIdx.z, __asan_get_report_access_type() != 0 ? "write" : "read",
               __asan_get_report_access_size(), place.c_str());
}

}  // namespace

void sanitizer::name_kernels_of_errors() {
  __asan_set_error_report_callback(&name_kernel_of_error);
}

}  // namespace tpn::cuda_on_cpu

#endif
