// Training by several processes, here threads, on CUDA devices.
#include <gtest/gtest.h>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/cuda/cuda_backend.h"
#include "tests/train/group_training.h"

namespace tpn {
namespace {

using test::expect_near;

class CudaRanks : public ::testing::Test, public test::GroupTraining {
 protected:
  CudaRanks()
      : GroupTraining([] {
          return std::make_shared<const CudaBackend>(CudaOptions{.libraries = CudaLibraries::none});
        }) {}
};

/// Sums leave the device while the rest of the backward pass runs there.
TEST_F(CudaRanks, AreOneLargeBatch) {
  expect_ranks_are_one_large_batch();
}

TEST_F(CudaRanks, WithSynchronizedNormsAreOneLargeBatch) {
  expect_synchronized_ranks_are_one_large_batch(true);
}

/// Steps before the last of a group are not followed kernel by kernel.
TEST_F(CudaRanks, SynchronizeNormsInEveryBatch) {
  const TrainingOptions options{
      .form = {.dropout = 0, .frozen = {}}, .batches = 2, .ranks = 2, .synchronized = true};
  const std::vector<std::vector<std::vector<std::size_t>>> quarters{{{0, 2}, {4, 6}}, {{1, 3}, {5, 7}}};
  const test::GroupTraining cpu([] { return std::make_shared<const CpuBackend>(1); });
  expect_near(train_ranks(options, 2, quarters), cpu.train_ranks(options, 2, quarters), 2e-3);
}

}  // namespace
}  // namespace tpn
