// What is found in the pipelined product with planted bugs, with every seed.
#include <algorithm>
#include <initializer_list>

#include <gtest/gtest.h>

#include "tests/cuda_on_cpu/control.h"
#include "tests/cuda_on_cpu/device_vector.h"
#include "tests/cuda_on_cpu/hopper_kernels.h"
#include "tests/cuda_on_cpu/race_checker.h"
#include "tests/cuda_on_cpu/tensor_map_maker.h"

namespace tpn::cuda_on_cpu {
namespace {

using test::HopperBug;

constexpr std::uint64_t seeds = 10;

class HopperBugs : public testing::TestWithParam<std::uint64_t> {
 protected:
  void SetUp() override { set_seed(GetParam()); }
  void TearDown() override { set_seed(1); }

  /// Whether the sums were right. Keeps what was found.
  bool run(HopperBug bug) {
    constexpr int size = test::hopper_gemm_tile;
    constexpr int depth = 8 * test::hopper_gemm_depth;
    // Every stage has other values, so that none can stand for another.
    constexpr int stages_sum = 8 * 9 / 2;
    std::vector<Bf16> values(std::size_t{size} * depth, Bf16(1.0F));
    const DeviceVector<Bf16> b(values);
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = Bf16(static_cast<float>(1 + i % depth / test::hopper_gemm_depth));
    }
    const DeviceVector<Bf16> a(values);
    const DeviceVector<float> c(std::size_t{size} * size);
    const auto map = [](const DeviceVector<Bf16>& matrix) {
      return test::matrix_map(CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, matrix.data(), size, depth, size);
    };
    EXPECT_EQ(test::start("hopper_gemm", test::hopper_gemm(bug),
                          {dim3(1), dim3(test::hopper_gemm_threads), test::hopper_gemm_shared_bytes}, map(a),
                          map(b), c.data(), size, depth),
              cudaSuccess);
    const cudaError_t status = cudaDeviceSynchronize();
    findings_ = take_findings();
    return status == cudaSuccess &&
           c.to_host() == std::vector<float>(c.size(), float{test::hopper_gemm_depth * stages_sum});
  }

  [[nodiscard]] bool found(FindingKind kind, const std::string& words = "") const {
    return std::any_of(findings_.begin(), findings_.end(), [&](const Finding& finding) {
      return finding.kind == kind && finding.message.find(words) != std::string::npos;
    });
  }

  [[nodiscard]] bool found_any(std::initializer_list<FindingKind> kinds) const {
    return std::any_of(kinds.begin(), kinds.end(), [this](FindingKind kind) { return found(kind); });
  }

  [[nodiscard]] std::string all() const {
    std::string text;
    for (const Finding& finding : findings_)
      text += std::string(name_of(finding.kind)) + ": " + finding.message + "\n";
    return text.empty() ? "nothing was found" : text;
  }

  std::vector<Finding> findings_;
};

INSTANTIATE_TEST_SUITE_P(Seeds, HopperBugs, testing::Range<std::uint64_t>(1, seeds + 1));

TEST_P(HopperBugs, WithoutOneNothingIsFound) {
  EXPECT_TRUE(run(HopperBug::none));
  EXPECT_TRUE(findings_.empty()) << all();
}

TEST_P(HopperBugs, MissingWaitForTheCopies) {
  static_cast<void>(run(HopperBug::no_full_wait));
  EXPECT_TRUE(found_any({FindingKind::unfinished_copy, FindingKind::barrier_misuse})) << all();
  if (race::enabled) {
    EXPECT_TRUE(found_any({FindingKind::copy_read_before_wait, FindingKind::uninitialized_shared_read}))
        << all();
  }
}

// The producer may also be so early that it arrives in the same phase again.
TEST_P(HopperBugs, MissingWaitForTheConsumers) {
  const bool right = run(HopperBug::no_empty_wait);
  if (race::enabled) {
    EXPECT_TRUE(found_any({FindingKind::race_in_shared_memory, FindingKind::copy_read_before_wait,
                           FindingKind::barrier_misuse}))
        << all();
  } else {
    EXPECT_TRUE(!right || !findings_.empty());
  }
}

TEST_P(HopperBugs, StageGivenBackBeforeTheProductsHaveEnded) {
  static_cast<void>(run(HopperBug::empty_before_product_wait));
  if (race::enabled) {
    EXPECT_TRUE(found(FindingKind::race_in_shared_memory, "by wgmma")) << all();
  }
}

TEST_P(HopperBugs, MissingWaitForTheProducts) {
  EXPECT_FALSE(run(HopperBug::no_product_wait));
  EXPECT_TRUE(found(FindingKind::unfinished_product)) << all();
}

TEST_P(HopperBugs, WrongNumberOfBytes) {
  EXPECT_FALSE(run(HopperBug::too_many_bytes_expected));
  EXPECT_TRUE(found(FindingKind::endless_wait, "lacks 0 of 1 arrivals and 64 bytes")) << all();
  EXPECT_FALSE(run(HopperBug::too_few_bytes_expected));
  EXPECT_TRUE(found(FindingKind::endless_wait, "lacks 0 of 1 arrivals and -64 bytes")) << all();
}

TEST_P(HopperBugs, MissingFenceAfterInit) {
  static_cast<void>(run(HopperBug::no_init_fence));
  EXPECT_TRUE(found(FindingKind::barrier_misuse, "without an init_fence of thread 0")) << all();
}

TEST_P(HopperBugs, MissingBarrierAfterInit) {
  static_cast<void>(run(HopperBug::no_barrier_after_init));
  if (race::enabled) {
    EXPECT_TRUE(found_any({FindingKind::race_in_shared_memory, FindingKind::uninitialized_shared_read}))
        << all();
  }
}

TEST_P(HopperBugs, WrongParity) {
  EXPECT_FALSE(run(HopperBug::wrong_parity));
  EXPECT_FALSE(findings_.empty());
  if (race::enabled) {
    EXPECT_TRUE(found_any({FindingKind::copy_read_before_wait, FindingKind::uninitialized_shared_read}))
        << all();
  }
}

TEST_P(HopperBugs, MissingWarp) {
  EXPECT_FALSE(run(HopperBug::missing_warp));
  EXPECT_TRUE(found(FindingKind::divergent_collective, "wait in warp_group_wait")) << all();
}

TEST_P(HopperBugs, CopyPastSharedMemory) {
  EXPECT_FALSE(run(HopperBug::copy_past_shared));
  EXPECT_TRUE(found(FindingKind::shared_out_of_bounds, "copies a box of 16384 bytes to")) << all();
}

TEST_P(HopperBugs, MisalignedOperand) {
  EXPECT_FALSE(run(HopperBug::misaligned_operand));
  EXPECT_TRUE(found(FindingKind::product_misuse, "not a multiple of 1024 plus 0, 32, 64 or 96")) << all();
}

TEST_P(HopperBugs, MissingFenceBeforeProducts) {
  static_cast<void>(run(HopperBug::no_product_fence));
  EXPECT_TRUE(found(FindingKind::product_misuse, "without a warp_group_fence")) << all();
}

TEST_P(HopperBugs, TooManyArrivals) {
  EXPECT_FALSE(run(HopperBug::too_many_arrivals));
  EXPECT_TRUE(found(FindingKind::barrier_misuse, "at which all 1 threads of the phase have arrived"))
      << all();
}

TEST_P(HopperBugs, OverwrittenBarrier) {
  EXPECT_FALSE(run(HopperBug::overwritten_barrier));
  EXPECT_TRUE(found(FindingKind::barrier_misuse, "was overwritten")) << all();
}

}  // namespace
}  // namespace tpn::cuda_on_cpu
