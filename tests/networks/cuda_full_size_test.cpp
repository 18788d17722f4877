// A full-size network through the CUDA kernels: sizes, strides and offsets that no tiny network has.
#include <gtest/gtest.h>

#include "engine/exec/executor.h"
#include "engine/networks/initialize.h"
#include "engine/networks/network.h"
#include "kernels/convert.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cuda/cuda_backend.h"
#include "tests/support/random_tensor.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tolerance.h"

namespace tpn {
namespace {

std::vector<float> logits(const Graph& graph, const Weights& weights, std::shared_ptr<const Backend> backend,
                          const ops::Tensor64& view, const PlanOptions& options) {
  Executor executor(std::make_shared<const Plan>(graph, std::move(backend), weights, options));
  from_tensor64(view, executor.input());
  executor.run();
  return executor.feature("logits").values;
}

TEST(CudaFullSize, SlowOnlyAgreesWithTheCpu) {
  const test::TemporaryDirectory directory;
  const Config config = builtin_config("tpn-slowonly-r50-8x8");
  write_random_model(config, Initialization::varied, 1, {}, directory / "model.safetensors");
  const auto weights = Weights::load(directory / "model.safetensors");
  const Graph graph = build_network(config, {1, config.view_frames(), 256, 256});
  std::mt19937 generator(1);
  const ops::Tensor64 view = test::random_tensor({1, 8, 256, 256, 3}, ops::Range::symmetric, generator, true);

  const std::vector<float> expected = logits(graph, *weights, std::make_shared<CpuBackend>(2), view, {});
  const std::vector<float> found =
      logits(graph, *weights, std::make_shared<CudaBackend>(CudaOptions{.libraries = CudaLibraries::none}),
             view, {.precision = DType::f16});
  EXPECT_EQ(found.size(), 400U);
  EXPECT_LE(test::relative_l2(found, expected), test::full_size_f16_relative_l2);
}

}  // namespace
}  // namespace tpn
