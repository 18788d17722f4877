// A full-size network through the CUDA kernels: sizes, strides and offsets that no tiny network has.
#include <filesystem>
#include <memory>

#include <gtest/gtest.h>

#include "engine/exec/executor.h"
#include "engine/networks/initialize.h"
#include "engine/networks/network.h"
#include "kernels/convert.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/verify/random_tensor.h"
#include "kernels/verify/tolerance.h"
#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

std::vector<float> logits(const Graph& graph, const Weights& weights, std::shared_ptr<const Backend> backend,
                          const ops::Tensor64& view, const PlanOptions& options) {
  Executor executor(std::make_shared<const Plan>(graph, std::move(backend), weights, options));
  from_tensor64(view, executor.input());
  executor.run();
  return executor.feature("logits").values;
}

class CudaFullSize : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    directory_ = std::make_unique<test::TemporaryDirectory>();
    const std::filesystem::path file = *directory_ / "model.safetensors";
    write_random_model(config(), Initialization::varied, 1, {}, file);
    weights_ = Weights::load(file);
  }
  static void TearDownTestSuite() {
    weights_ = nullptr;
    directory_ = nullptr;
  }

  static Config config() { return builtin_config("tpn-slowonly-r50-8x8"); }
  static Graph graph(std::int64_t views) {
    return build_network(config(), {views, config().view_frames(), 256, 256});
  }
  static std::shared_ptr<const Backend> cuda() {
    return std::make_shared<CudaBackend>(CudaOptions{.libraries = CudaLibraries::none});
  }
  static const Weights& weights() { return *weights_; }

 private:
  static inline std::unique_ptr<test::TemporaryDirectory> directory_;
  static inline std::shared_ptr<const Weights> weights_;
};

TEST_F(CudaFullSize, SlowOnlyAgreesWithTheCpu) {
  std::mt19937 generator(1);
  const ops::Tensor64 view =
      verify::random_tensor({1, 8, 256, 256, 3}, ops::Range::symmetric, generator, true);
  const std::vector<float> expected = logits(graph(1), weights(), std::make_shared<CpuBackend>(2), view, {});
  const std::vector<float> found = logits(graph(1), weights(), cuda(), view, {.precision = Precision::f16});
  EXPECT_EQ(found.size(), 400U);
  EXPECT_LE(verify::relative_l2(found, expected), verify::full_size_f16_relative_l2);
}

TEST_F(CudaFullSize, AVideoOf30ViewsTakesLessThan1500MegabytesInBf16) {
  const auto backend = cuda();
  const std::size_t before = backend->free_memory();
  const Plan plan(graph(30), backend, weights(), {.precision = Precision::bf16});
  const std::size_t prepared = before - backend->free_memory();
  // The classifier's weights stay f32, the auxiliary head's are not there; each of the others is there once.
  EXPECT_GT(prepared, 2 * std::size_t{70'000'000});
  EXPECT_LT(prepared, 2 * std::size_t{100'000'000});
  EXPECT_LT(plan.arena_bytes() + prepared, std::size_t{1'500'000'000});
  RecordProperty("prepared_bytes", std::to_string(prepared));
  RecordProperty("arena_bytes", std::to_string(plan.arena_bytes()));
}

}  // namespace
}  // namespace tpn
