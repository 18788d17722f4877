// What the race build finds in kernels with planted bugs, with every seed, and that it finds nothing else.
#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "tests/cuda_on_cpu/control.h"
#include "tests/cuda_on_cpu/device_vector.h"
#include "tests/cuda_on_cpu/planted_bugs.h"

namespace tpn::cuda_on_cpu {
namespace {

using test::Bug;
using test::start;

constexpr std::uint64_t seeds = 10;

/// Fails unless findings of the kind were made, and only such; returns the first.
Finding expect_only(FindingKind kind) {
  const std::vector<Finding> findings = take_findings();
  EXPECT_FALSE(findings.empty()) << "expected " << name_of(kind);
  for (const Finding& finding : findings) {
    EXPECT_EQ(finding.kind, kind) << name_of(finding.kind) << ": " << finding.message;
  }
  return findings.empty() ? Finding{} : findings.front();
}

void expect_none() {
  for (const Finding& finding : take_findings())
    ADD_FAILURE() << name_of(finding.kind) << ": " << finding.message;
}

class Race : public testing::TestWithParam<std::uint64_t> {
 protected:
  void SetUp() override { set_seed(GetParam()); }
  void TearDown() override { set_seed(1); }

  cudaError_t run_gemm(Bug bug) const {
    constexpr std::size_t m = 128;
    constexpr std::size_t n = 256;
    constexpr std::size_t k = 128;
    const DeviceVector<Bf16> a(std::vector<Bf16>(m * k, Bf16(1.0F)));
    const DeviceVector<Bf16> b(std::vector<Bf16>(n * k, Bf16(1.0F)));
    const DeviceVector<float> c(m * n);
    EXPECT_EQ(
        start("gemm", test::gemm(bug),
              {dim3(unsigned{n / 128}, unsigned{m / 128}), dim3(test::gemm_threads), test::gemm_shared_bytes},
              a.data(), b.data(), c.data(), int{n}, int{k}),
        cudaSuccess);
    const cudaError_t status = cudaDeviceSynchronize();
    if (bug == Bug::none) {
      EXPECT_EQ(c.to_host(), std::vector<float>(m * n, static_cast<float>(k)));
    }
    return status;
  }

  cudaError_t run_sum(Bug bug) const {
    const DeviceVector<float> in(std::vector<float>(128, 1.0F));
    const DeviceVector<float> out(2);
    EXPECT_EQ(start("sum", test::sum_blocks(bug), {dim3(2), dim3(64)}, in.data(), out.data()), cudaSuccess);
    return cudaDeviceSynchronize();
  }
};

INSTANTIATE_TEST_SUITE_P(Seeds, Race, testing::Range<std::uint64_t>(1, seeds + 1));

TEST_P(Race, CleanKernelsAreSilent) {
  EXPECT_EQ(run_gemm(Bug::none), cudaSuccess);
  EXPECT_EQ(run_sum(Bug::none), cudaSuccess);
  const DeviceVector<float> in(std::vector<float>(128, 1.0F));
  const DeviceVector<float> out(128);
  EXPECT_EQ(
      start("reverse", test::reverse_in_warps(Bug::none), {dim3(1), dim3(128), 512}, in.data(), out.data()),
      cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  expect_none();
}

// Threads that use the bytes of one word are not in each other's way.
TEST_P(Race, NeighboursInAWordAreSilent) {
  std::vector<std::uint16_t> values(128);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint16_t>(300 * i);
  const DeviceVector<std::uint16_t> in(values);
  const DeviceVector<std::uint16_t> out(128);
  EXPECT_EQ(start("sum_halves", test::sum_halves, {dim3(2), dim3(64)}, in.data(), out.data()), cudaSuccess);
  std::uint16_t expected = 0;
  for (std::size_t i = 0; i < 64; ++i)
    expected = static_cast<std::uint16_t>(expected + values[i] - values[i] % 256);
  EXPECT_EQ(out.to_host()[0], expected);
  expect_none();
}

TEST_P(Race, AtomicsAreSilent) {
  const DeviceVector<int> in(std::vector<int>(128, 3));
  const DeviceVector<int> out(std::vector<int>{0});
  EXPECT_EQ(start("add_atomically", test::add_atomically, {dim3(2), dim3(64)}, in.data(), out.data()),
            cudaSuccess);
  EXPECT_EQ(out.to_host()[0], 384);
  expect_none();
}

TEST_P(Race, MissingBarrierBeforeUse) {
  run_gemm(Bug::no_barrier_before_use);
  const std::vector<Finding> findings = take_findings();
  ASSERT_FALSE(findings.empty());
  for (const Finding& finding : findings) {
    EXPECT_TRUE(finding.kind == FindingKind::race_in_shared_memory ||
                finding.kind == FindingKind::copy_read_before_wait ||
                finding.kind == FindingKind::uninitialized_shared_read)
        << finding.message;
  }
}

TEST_P(Race, MissingBarrierAtLoopEnd) {
  run_gemm(Bug::no_barrier_at_loop_end);
  const std::vector<Finding> findings = take_findings();
  ASSERT_FALSE(findings.empty());
  for (const Finding& finding : findings) {
    EXPECT_TRUE(finding.kind == FindingKind::race_in_shared_memory ||
                finding.kind == FindingKind::copy_read_before_wait)
        << finding.message;
  }
}

TEST_P(Race, MissingCopyWait) {
  run_gemm(Bug::no_copy_wait);
  expect_only(FindingKind::copy_read_before_wait);
}

TEST_P(Race, MissingWarpBarrier) {
  const DeviceVector<float> in(std::vector<float>(128, 1.0F));
  const DeviceVector<float> out(128);
  EXPECT_EQ(start("reverse", test::reverse_in_warps(Bug::no_warp_barrier), {dim3(1), dim3(128), 512},
                  in.data(), out.data()),
            cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  const std::vector<Finding> findings = take_findings();
  EXPECT_TRUE(std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.kind == FindingKind::race_in_shared_memory;
  }));
}

TEST_P(Race, SharedOutOfBounds) {
  EXPECT_EQ(run_sum(Bug::shared_out_of_bounds), cudaErrorLaunchFailure);
  const Finding finding = expect_only(FindingKind::shared_out_of_bounds);
  EXPECT_NE(finding.message.find("0 bytes past the end of shared array `values` (256 bytes)"),
            std::string::npos)
      << finding.message;
  EXPECT_NE(finding.message.find("write of 4 bytes in planted_bugs.cu:"), std::string::npos)
      << finding.message;
}

TEST_P(Race, GlobalOutOfBounds) {
  EXPECT_EQ(run_sum(Bug::global_out_of_bounds), cudaErrorLaunchFailure);
  const Finding finding = expect_only(FindingKind::global_out_of_bounds);
  EXPECT_NE(finding.message.find("0 bytes past the end of an allocation of 512 bytes"), std::string::npos)
      << finding.message;
}

TEST_P(Race, BlocksWriteTheSamePlace) {
  run_sum(Bug::blocks_write_same_place);
  const Finding finding = expect_only(FindingKind::race_between_blocks);
  EXPECT_NE(finding.message.find("byte 0 of an allocation of 8 bytes"), std::string::npos) << finding.message;
}

TEST_P(Race, DivergentBarrier) {
  EXPECT_EQ(run_sum(Bug::divergent_barrier), cudaErrorLaunchFailure);
  const std::vector<Finding> findings = take_findings();
  EXPECT_TRUE(std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.kind == FindingKind::divergent_barrier;
  }));
}

TEST_P(Race, UninitializedShared) {
  run_sum(Bug::uninitialized_shared);
  expect_only(FindingKind::uninitialized_shared_read);
}

TEST_P(Race, HostPointer) {
  const std::vector<float> in(128, 1.0F);
  const DeviceVector<float> out(2);
  EXPECT_EQ(start("sum", test::sum_blocks(Bug::none), {dim3(2), dim3(64)}, in.data(), out.data()),
            cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
  expect_only(FindingKind::host_memory_access);
}

TEST_P(Race, CopiesNeverWaitedFor) {
  run_gemm(Bug::copies_never_waited);
  const std::vector<Finding> findings = take_findings();
  EXPECT_TRUE(std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.kind == FindingKind::unfinished_copy;
  }));
}

}  // namespace
}  // namespace tpn::cuda_on_cpu
