// Threads, barriers, shuffles, votes, atomics and shared memory of the emulated device.
#include <algorithm>
#include <numeric>
#include <set>

#include <gtest/gtest.h>

#include "tests/cuda_on_cpu/control.h"
#include "tests/cuda_on_cpu/device_vector.h"
#include "tests/cuda_on_cpu/test_kernels.h"

namespace tpn::cuda_on_cpu {
namespace {

using test::start;

class Collectives : public testing::Test {
 protected:
  void TearDown() override {
    for (const Finding& finding : take_findings()) ADD_FAILURE() << finding.message;
  }
};

TEST_F(Collectives, ThreadsKnowTheirPlace) {
  const dim3 grid(3, 2, 2);
  const dim3 block(5, 4, 3);
  DeviceVector<std::uint64_t> out(12 * 60);
  ASSERT_EQ(start("places", test::places, {grid, block}, out.data()), cudaSuccess);
  std::vector<std::uint64_t> expected;
  for (unsigned b = 0; b < 12; ++b) {
    for (unsigned t = 0; t < 60; ++t) {
      const std::uint64_t values[6] = {t % 5, t / 5 % 4, t / 20, b % 3, b / 3 % 2, b / 6};
      std::uint64_t code = 0;
      for (int i = 0; i < 6; ++i) code |= values[i] << (8 * i);
      expected.push_back(code);
    }
  }
  EXPECT_EQ(out.to_host(), expected);
}

TEST_F(Collectives, SeedDecidesTheOrderOfThreads) {
  const auto order = [](std::uint64_t seed) {
    set_seed(seed);
    DeviceVector<int> out(128);
    DeviceVector<int> count(std::vector<int>{0});
    EXPECT_EQ(start("arrival_order", test::arrival_order, {dim3(1), dim3(128)}, out.data(), count.data()),
              cudaSuccess);
    return out.to_host();
  };
  std::set<std::vector<int>> orders;
  std::vector<int> all(128);
  std::iota(all.begin(), all.end(), 0);
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    std::vector<int> found = order(seed);
    orders.insert(found);
    std::sort(found.begin(), found.end());
    EXPECT_EQ(found, all);
  }
  EXPECT_EQ(orders.size(), 8U);
  set_seed(1);
}

TEST_F(Collectives, BarrierSeparatesTheStepsOfASum) {
  std::vector<float> in(256);
  std::iota(in.begin(), in.end(), 1.0F);
  for (const unsigned threads : {32U, 64U, 256U}) {
    const DeviceVector<float> device_in(in);
    DeviceVector<float> out(threads);
    ASSERT_EQ(start("block_sum", test::block_sum, {dim3(1), dim3(threads)}, device_in.data(), out.data()),
              cudaSuccess);
    const auto n = static_cast<float>(threads);
    EXPECT_EQ(out.to_host(), std::vector<float>(threads, n * (n + 1) / 2));
  }
}

TEST_F(Collectives, BarriersCountVotes) {
  const std::vector<std::vector<int>> expected = {{0, 0, 0}, {40, 1, 0}, {100, 1, 1}};
  int i = 0;
  for (const int limit : {0, 40, 100}) {
    DeviceVector<int> votes(3);
    ASSERT_EQ(start("block_votes", test::block_votes, {dim3(1), dim3(100)}, votes.data(), limit),
              cudaSuccess);
    EXPECT_EQ(votes.to_host(), expected[static_cast<std::size_t>(i++)]);
  }
}

TEST_F(Collectives, ShufflesMoveValuesWithinTheirWidth) {
  std::vector<int> in(32);
  std::iota(in.begin(), in.end(), 100);
  for (const int width : {32, 16, 8}) {
    const DeviceVector<int> device_in(in);
    DeviceVector<int> out(128);
    ASSERT_EQ(start("shuffles", test::shuffles, {}, device_in.data(), out.data(), width), cudaSuccess);
    const std::vector<int> found = out.to_host();
    for (int lane = 0; lane < 32; ++lane) {
      const int first = lane / width * width;
      const int end = first + width;
      const auto* values = found.data() + 4 * static_cast<std::ptrdiff_t>(lane);
      EXPECT_EQ(values[0], 100 + first + (lane + 3) % width) << lane;
      EXPECT_EQ(values[1], 100 + (lane - 2 < first ? lane : lane - 2)) << lane;
      EXPECT_EQ(values[2], 100 + (lane + 2 >= end ? lane : lane + 2)) << lane;
      EXPECT_EQ(values[3], 100 + ((lane ^ 5) >= end ? lane : lane ^ 5)) << lane;
    }
  }
}

TEST_F(Collectives, HalvesOfAWarpMeetAmongThemselves) {
  DeviceVector<unsigned> out(64);
  ASSERT_EQ(start("warp_votes", test::warp_votes, {}, out.data()), cudaSuccess);
  const std::vector<unsigned> found = out.to_host();
  for (std::size_t lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(found[2 * lane], 0xaaaaaaaaU);
    EXPECT_EQ(found[2 * lane + 1], lane < 16 ? 120U : 376U);
  }
}

TEST_F(Collectives, AtomicsLoseNothing) {
  DeviceVector<int> sums(std::vector<int>{0, 0, 1 << 30, 0});
  DeviceVector<float> total(std::vector<float>{0.0F});
  ASSERT_EQ(start("atomics", test::atomics, {dim3(50), dim3(96)}, sums.data(), total.data()), cudaSuccess);
  EXPECT_EQ(sums.to_host(), (std::vector<int>{4800, 4799, 0, 4800}));
  EXPECT_EQ(total.to_host(), std::vector<float>{2400.0F});
}

#ifndef CUDA_ON_CPU_RACE
TEST_F(Collectives, SharedMemoryStartsAsNan) {
  for (int i = 0; i < 2; ++i) {
    DeviceVector<std::uint32_t> out(8);
    ASSERT_EQ(start("fresh_shared", test::fresh_shared, {dim3(1), dim3(1), 16}, out.data()), cudaSuccess);
    EXPECT_EQ(out.to_host(), std::vector<std::uint32_t>(8, 0xffffffffU));
  }
}
#endif

}  // namespace
}  // namespace tpn::cuda_on_cpu
