// Training by several processes whose GPUs exchange by NCCL: here threads, an emulated device and what stands
// in for NCCL, so that the calls are made.
#include <gtest/gtest.h>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/libraries/nccl_collectives.h"
#include "tests/support/stand_in_nccl.h"
#include "tests/train/group_training.h"

namespace tpn {
namespace {

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
  expect_ranks_are_one_large_batch();
}

TEST_F(CudaCollectives, SynchronizeNorms) {
  expect_synchronized_ranks_are_one_large_batch(false);
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
