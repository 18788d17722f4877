// What every build finds in kernels with planted bugs; races and accesses out of bounds: race_test.cpp.
#include "tests/cuda_on_cpu/planted_bugs.h"

#include <algorithm>
#include <random>
#include <utility>

#include <gtest/gtest.h>

#include "tests/cuda_on_cpu/control.h"
#include "tests/cuda_on_cpu/device_vector.h"
#include "tests/cuda_on_cpu/sanitizer.h"

namespace tpn::cuda_on_cpu {
namespace {

using test::Bug;
using test::start;

/// The place of an element in a matrix with `width` columns.
std::size_t at(int row, int width, int column = 0) {
  return static_cast<std::size_t>(row) * static_cast<std::size_t>(width) + static_cast<std::size_t>(column);
}

struct GemmData {
  std::vector<Bf16> a;
  std::vector<Bf16> b;
  int m;
  int n;
  int k;

  GemmData(int rows, int columns, int depth) : m(rows), n(columns), k(depth) {
    std::mt19937 random(11);  // NOLINT(cert-msc51-cpp): the same in every run
    std::uniform_int_distribution<int> values(-3, 3);
    a.resize(at(m, k));
    b.resize(at(n, k));
    for (Bf16& value : a) value = Bf16(static_cast<float>(values(random)));
    for (Bf16& value : b) value = Bf16(static_cast<float>(values(random)));
  }

  [[nodiscard]] std::vector<float> run(Bug bug, cudaError_t* status = nullptr) const {
    const DeviceVector<Bf16> device_a(a);
    const DeviceVector<Bf16> device_b(b);
    const DeviceVector<float> c(at(m, n));
    const dim3 grid(static_cast<unsigned>(n) / test::gemm_tile, static_cast<unsigned>(m) / test::gemm_tile);
    EXPECT_EQ(start("gemm", test::gemm(bug), {grid, dim3(test::gemm_threads), test::gemm_shared_bytes},
                    device_a.data(), device_b.data(), c.data(), n, k),
              cudaSuccess);
    const cudaError_t result = cudaDeviceSynchronize();
    if (status != nullptr) *status = result;
    return c.to_host();
  }

  [[nodiscard]] std::vector<float> expected() const {
    std::vector<float> c(at(m, n));
    for (int i = 0; i < m; ++i) {
      for (int j = 0; j < n; ++j) {
        float sum = 0;  // of whole numbers: exact
        for (int x = 0; x < k; ++x) {
          sum += static_cast<float>(a[at(i, k, x)]) * static_cast<float>(b[at(j, k, x)]);
        }
        c[at(i, n, j)] = sum;
      }
    }
    return c;
  }
};

bool found(const std::vector<Finding>& findings, FindingKind kind) {
  return std::any_of(findings.begin(), findings.end(),
                     [kind](const Finding& finding) { return finding.kind == kind; });
}

TEST(Gemm, IsRightWithManySeeds) {
  const GemmData data(256, 128, 96);
  const std::vector<float> expected = data.expected();
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    set_seed(seed);
    ASSERT_EQ(data.run(Bug::none), expected) << seed;
    const std::vector<Finding> findings = take_findings();
    ASSERT_TRUE(findings.empty()) << findings.front().message;
  }
}

// NaN in shared memory and the random order of threads show these in the values, without a race checker.
TEST(Gemm, MissingWaitsAndBarriersShowInTheValues) {
  const GemmData data(128, 128, 128);
  const std::vector<float> expected = data.expected();
  for (const Bug bug : {Bug::no_copy_wait, Bug::no_barrier_before_use, Bug::no_barrier_at_loop_end}) {
    EXPECT_NE(data.run(bug), expected) << static_cast<int>(bug);
  }
  take_findings();
}

TEST(Gemm, CopiesThatNobodyWaitsForAreNamed) {
  EXPECT_TRUE(take_findings().empty());
  static_cast<void>(GemmData(128, 128, 64).run(Bug::copies_never_waited));
  EXPECT_TRUE(found(take_findings(), FindingKind::unfinished_copy));
}

TEST(Sum, DivergentBarrierIsNamed) {
  const DeviceVector<float> in(std::vector<float>(128, 1.0F));
  const DeviceVector<float> out(2);
  ASSERT_EQ(
      start("sum", test::sum_blocks(Bug::divergent_barrier), {dim3(2), dim3(64)}, in.data(), out.data()),
      cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
  const std::vector<Finding> findings = take_findings();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].kind, FindingKind::divergent_barrier);
  EXPECT_EQ(findings[0].kernel, "sum");
  EXPECT_NE(findings[0].message.find("40 (0-39) wait in __syncthreads; 24 (40-63) have ended"),
            std::string::npos)
      << findings[0].message;
  // The device goes on.
  ASSERT_EQ(start("sum", test::sum_blocks(Bug::none), {dim3(2), dim3(64)}, in.data(), out.data()),
            cudaSuccess);
  EXPECT_EQ(out.to_host(), (std::vector<float>{64.0F, 64.0F}));
}

TEST(Vectors, AMisalignedAccessIsNamed) {
  const DeviceVector<float> in(std::vector<float>(260, 1.0F)), out(260);
  for (const auto& [from, to] : {std::pair(1, 0), std::pair(0, 2)}) {
    ASSERT_EQ(start("copy", test::copy_vectors, {dim3(2), dim3(32)}, in.data() + from, out.data() + to),
              cudaSuccess);
    EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
    const std::vector<Finding> findings = take_findings();
    ASSERT_FALSE(findings.empty());
    EXPECT_EQ(findings[0].kind, FindingKind::misaligned_access);
    EXPECT_EQ(findings[0].kernel, "copy");
    EXPECT_NE(findings[0].message.find("16 bytes at once"), std::string::npos) << findings[0].message;
    EXPECT_NE(findings[0].message.find("an allocation of 1040 bytes"), std::string::npos)
        << findings[0].message;
  }
  ASSERT_EQ(start("copy", test::copy_vectors, {dim3(2), dim3(32)}, in.data() + 4, out.data()), cudaSuccess);
  EXPECT_EQ(out.to_host()[255], 1.0F);
}

#ifndef TPN_ADDRESS_SANITIZER  // there the touch ends the program: address_sanitizer_test.cpp
/// Two devices while it lives, and the second is the current one.
class SecondDevice {
 public:
  SecondDevice() {
    set_device_count(2);
    cudaSetDevice(1);
  }
  SecondDevice(const SecondDevice&) = delete;
  SecondDevice& operator=(const SecondDevice&) = delete;
  ~SecondDevice() {
    cudaSetDevice(0);
    set_device_count(1);
  }
};

TEST(Devices, MemoryOfAnotherOneIsNamed) {
  const DeviceVector<float> in(std::vector<float>(256, 1.0F));
  const DeviceVector<float> first_out(2);
  const SecondDevice second;
  const DeviceVector<float> out(2);
  const auto run = [&](float* to) {
    EXPECT_EQ(start("sum", test::sum_blocks(Bug::none), {dim3(2), dim3(64)}, in.data(), to), cudaSuccess);
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    return take_findings();
  };
  const std::vector<Finding> reads = run(out.data());
  ASSERT_EQ(reads.size(), 1U);
  EXPECT_EQ(reads[0].kind, FindingKind::other_device_access);
  EXPECT_EQ(reads[0].kernel, "sum");
  EXPECT_NE(reads[0].message.find("runs on device 1 and touched byte "), std::string::npos)
      << reads[0].message;
  EXPECT_NE(reads[0].message.find("of an allocation of 1024 bytes of device 0"), std::string::npos)
      << reads[0].message;
  EXPECT_EQ(out.to_host(), (std::vector<float>{64.0F, 64.0F}));
  // Another allocation of that device.
  EXPECT_NE(run(first_out.data()).size(), 0U);
  // And nothing on its own.
  cudaSetDevice(0);
  EXPECT_TRUE(run(first_out.data()).empty());
}
#endif

}  // namespace
}  // namespace tpn::cuda_on_cpu
