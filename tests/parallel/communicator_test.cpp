// What ranks exchange: threads of the tests, and processes that mpirun starts.
#include "engine/parallel/communicator.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/parallel/parallel_backend.h"
#include "kernels/reference_backend.h"
#include "tests/parallel/exchange_checks.h"
#include "tests/support/counting_backend.h"
#include "tests/support/run_program.h"
#include "tests/support/thread_communicator.h"

namespace tpn {
namespace {

TEST(Communicator, OfThreads) {
  for (const int ranks : {1, 2, 3}) {
    test::run_ranks(ranks, [](const std::shared_ptr<Communicator>& communicator) {
      EXPECT_EQ(test::wrong_exchanges(*communicator), "");
    });
  }
}

TEST(Communicator, GathersForOperations) {
  test::run_ranks(3, [](const std::shared_ptr<Communicator>& communicator) {
    const auto device =
        std::make_shared<const test::CountingBackend>(std::make_shared<const ReferenceBackend>());
    const auto backend = make_parallel_backend(device, communicator);
    EXPECT_TRUE(backend->supports(ops::AllGather{3}));
    EXPECT_FALSE(backend->supports(ops::AllGather{2}));
    const std::vector<Operand> inputs(2, Operand{.shape = {5}, .kind = Kind::per_channel}),
        outputs{Operand{.shape = {6, 5}, .kind = Kind::matrix}};
    const auto kernel = backend->compile(ops::AllGather{3}, {inputs, outputs});
    std::vector<float> first(5, static_cast<float>(communicator->rank())), second(5), all(30);
    const auto view = [](std::vector<float>& values, const Shape& shape) {
      return TensorView{reinterpret_cast<std::byte*>(values.data()), DType::f32, shape};
    };
    const std::vector<ConstTensorView> in{read_only(view(first, {5})), read_only(view(second, {5}))};
    const std::vector<TensorView> out{view(all, {6, 5})};
    std::vector<std::byte> scratch(kernel->scratch_bytes());
    const auto stream = backend->make_stream();
    for (const float other : {10.0F, 20.0F}) {
      std::ranges::fill(second, other);
      kernel->run(in, out, {}, scratch.data(), *stream);
      const std::size_t taken = device->allocated();
      EXPECT_EQ(taken > 0, other == 10) << "memory is taken once";
      for (std::size_t i = 0; i < all.size(); ++i) {
        const std::size_t row = i / 5, rank = row / 2;
        EXPECT_EQ(all[i], row % 2 == 0 ? static_cast<float>(rank) : other) << i;
      }
    }
  });
}

#ifdef TPN_MPIRUN
class MpiCommunicator : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(TPN_MPIRUN))
      GTEST_SKIP() << "There is no mpirun: libopenmpi-dev and openmpi-bin have it.";
  }

  static test::ProgramResult run(int ranks, const std::string& what) {
    return test::run_program(TPN_MPIRUN, {"-n", std::to_string(ranks), TPN_EXCHANGING_PROGRAM, what},
                             {.environment = test::mpirun_environment()});
  }
};

TEST_F(MpiCommunicator, OfProcesses) {
  for (const int ranks : {2, 3}) {
    const test::ProgramResult r = run(ranks, "exchange");
    EXPECT_EQ(r.status, 0) << r.error;
    EXPECT_EQ(r.error, "");
  }
}

/// The others are told, also where they wait for nothing; all end, with the highest status.
TEST_F(MpiCommunicator, TellsOthersOfFailures) {
  const test::ProgramResult r = run(3, "fail");
  EXPECT_EQ(r.status, 7) << r.error;
  for (const char* rank : {"0", "2"}) {
    EXPECT_NE(
        r.error.find("rank " + std::string(rank) +
                     " hears: Rank 1 of 3 has failed, and this one cannot go on without it: no more paper"),
        std::string::npos)
        << r.error;
  }
}
#endif

}  // namespace
}  // namespace tpn
