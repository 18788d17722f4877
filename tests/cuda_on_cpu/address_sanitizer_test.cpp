// Accesses out of bounds by kernels, which the address sanitizer's build names.
#include <gtest/gtest.h>

#include "tests/cuda_on_cpu/control.h"
#include "tests/cuda_on_cpu/device_vector.h"
#include "tests/cuda_on_cpu/planted_bugs.h"

namespace tpn::cuda_on_cpu {
namespace {

void run(test::Bug bug) {
  const DeviceVector<float> in(std::vector<float>(128, 1.0F));
  const DeviceVector<float> out(2);
  test::start("sum", test::sum_blocks(bug), {dim3(2), dim3(64)}, in.data(), out.data());
  cudaDeviceSynchronize();
}

class AddressSanitizer : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }  // kernels run on other threads
};

TEST_F(AddressSanitizer, NamesTheSharedArray) {
  EXPECT_DEATH(
      run(test::Bug::shared_out_of_bounds),
      "sum, block \\([01],0,0\\), thread \\(63,0,0\\): write of size 4 at 0 bytes past the end of shared "
      "array `values` \\(256 bytes\\)");
}

TEST_F(AddressSanitizer, NamesTheAllocation) {
  EXPECT_DEATH(run(test::Bug::global_out_of_bounds),
               "sum, block \\(1,0,0\\), thread \\(63,0,0\\): read of size 4 at 0 bytes past the end of an "
               "allocation of 512 bytes");
}

TEST_F(AddressSanitizer, SeesTheHostTouchWhatACopyWillWrite) {
  EXPECT_DEATH(
      {
        const DeviceVector<float> in(std::vector<float>(128, 1.0F));
        float* host = nullptr;
        cudaMallocHost(reinterpret_cast<void**>(&host), 512);
        cudaMemcpyAsync(host, in.data(), 512, cudaMemcpyDeviceToHost, nullptr);
        const volatile float early = host[3];
        static_cast<void>(early);
      },
      "use-after-poison");
}

TEST_F(AddressSanitizer, SeesAKernelTouchAnotherDevicesMemory) {
  EXPECT_DEATH(
      {
        const DeviceVector<float> in(std::vector<float>(256, 1.0F));
        set_device_count(2);
        cudaSetDevice(1);
        const DeviceVector<float> out(2);
        static_cast<void>(test::start("sum", test::sum_blocks(test::Bug::none), {dim3(2), dim3(64)},
                                      in.data(), out.data()));
        cudaDeviceSynchronize();
      },
      "use-after-poison");
}

}  // namespace
}  // namespace tpn::cuda_on_cpu
