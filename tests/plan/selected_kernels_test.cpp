// Which code the CPU selects for the operations of full-size models: never a library's reference loop, which
// is orders of magnitude slower than the rest.
#include <algorithm>

#include <gtest/gtest.h>

#include "engine/networks/initialize.h"
#include "engine/networks/network.h"
#include "engine/plan/plan.h"
#include "kernels/cpu/cpu_backend.h"
#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

class SelectedKernels : public ::testing::TestWithParam<const char*> {};

TEST_P(SelectedKernels, AreNoReferenceLoops) {
  const test::TemporaryDirectory directory;
  const Config config = builtin_config(GetParam());
  write_random_model(config, Initialization::varied, 1, {}, directory / "model.safetensors");
  const auto backend = std::make_shared<CpuBackend>(2);
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    if (!supports(*backend, precision)) continue;
    const auto weights = Weights::load(directory / "model.safetensors");
    const Plan plan(build_network(config, {1, config.view_frames(), 256, 256}), backend, *weights,
                    {.precision = precision});
    EXPECT_GT(plan.steps().size(), 50U);
    for (const Step& step : plan.steps()) {
      // oneDNN's names: "ref:any", "simple:any", "gemm:ref", "brgconv:avx512_core", "jit_1x1:avx512_core",
      // ...
      const std::string implementation = step.kernel->implementation();
      EXPECT_EQ(implementation.find("ref"), std::string::npos)
          << step.name << " in " << name_of(precision) << " runs " << implementation;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(FullSize, SelectedKernels,
                         ::testing::Values("tpn-slowonly-r50-8x8", "tpn-tsm-r50-1x1x8"),
                         [](const auto& param) {
                           std::string name = param.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace tpn
