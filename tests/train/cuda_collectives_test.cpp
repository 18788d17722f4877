// Training by several processes whose GPUs exchange by NCCL: here threads, an emulated device and what stands
// in for NCCL, so that the calls are made.
#include <gtest/gtest.h>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/libraries/nccl_collectives.h"
#include "tests/support/stand_in_nccl.h"
#include "tests/train/group_training.h"

namespace tpn {
namespace {

using test::expect_near;
using test::Trained;

class CudaCollectives : public ::testing::Test, public test::GroupTraining {
 protected:
  CudaCollectives()
      : GroupTraining(
            [] { return std::make_shared<const CudaBackend>(CudaOptions{.libraries = CudaLibraries::none}); },
            [](Communicator& communicator) {
              return cuda::join_by_nccl(test::stand_in_nccl_api(), device_rank(communicator));
            }) {}
};

TEST_F(CudaCollectives, MakeRanksOneLargeBatch) {
  TrainingOptions options{.form = without_norms};
  const Trained at_once = train_at_once(options);
  options.bucket_bytes = 20000;
  options.ranks = options.batches = 2;
  expect_near(train_ranks(options, 3, {{{0, 2, 4}, {6, 7}}, {{1, 3, 5}, {}}}), at_once, tolerance);
}

TEST_F(CudaCollectives, SynchronizeNorms) {
  TrainingOptions options{.form = {.dropout = 0, .frozen = {}}};
  const Trained at_once = train_at_once(options);
  options.ranks = 2;
  options.synchronized = true;
  expect_near(train_ranks(options, 4, {{{0, 2, 4, 6}}, {{1, 3, 5, 7}}}), at_once, 2e-3);
}

TEST(Nccl, SaysWhatFailed) {
  try {
    test::stand_in_nccl_api().check(ncclSystemError, "joining the other GPUs");
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "NCCL failed when joining the other GPUs: it only stands in for NCCL.");
  }
}

}  // namespace
}  // namespace tpn
