// Training by several processes, here threads, on CUDA devices.
#include <gtest/gtest.h>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/cuda/cuda_backend.h"
#include "tests/train/group_training.h"

namespace tpn {
namespace {

using test::expect_near;
using test::Trained;

class CudaRanks : public ::testing::Test, public test::GroupTraining {
 protected:
  CudaRanks()
      : GroupTraining([] {
          return std::make_shared<const CudaBackend>(CudaOptions{.libraries = CudaLibraries::none});
        }) {}
};

/// Sums leave the device while the rest of the backward pass runs there.
TEST_F(CudaRanks, AreOneLargeBatch) {
  TrainingOptions options{.form = without_norms};
  const Trained at_once = train_at_once(options);
  options.bucket_bytes = 20000;
  options.ranks = options.batches = 2;
  expect_near(train_ranks(options, 3, {{{0, 2, 4}, {6, 7}}, {{1, 3, 5}, {}}}), at_once, tolerance);
}

TEST_F(CudaRanks, WithSynchronizedNormsAreOneLargeBatch) {
  TrainingOptions options{.form = {.dropout = 0, .frozen = {}}};
  const Trained at_once = train_at_once(options);
  options.ranks = 2;
  options.synchronized = true;
  expect_near(train_ranks(options, 4, {{{0, 2, 4, 6}}, {{1, 3, 5, 7}}}), at_once, 2e-3);
  options.ranks = 3;  // of which one has no clips
  expect_near(train_ranks(options, 5, {{{0, 1, 2, 3, 4}}, {{5, 6, 7}}, {{}}}), at_once, 2e-3);
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
