// Timing training: what is reported, and that wrong gradients are noticed.
#include "benchmarks/training_benchmark.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <limits>
#include <memory>
#include <set>
#include <utility>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "benchmarks/explain.h"
#include "benchmarks/report.h"
#include "engine/model/safetensors.h"
#include "engine/networks/initialize.h"
#include "kernels/cpu/cpu_backend.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_config.h"

namespace tpn::benchmarks {
namespace {

class TrainingBenchmarkTest : public ::testing::Test {
 protected:
  TrainingBenchmarkTest() {
    benchmark_.model = directory_ / "model.safetensors";
    write_random_model(test::tiny_config("tpn-slowonly-r50-8x8"), Initialization::varied, 1, {},
                       benchmark_.model);
    benchmark_.threads = {1};
    benchmark_.batches = {2};
    benchmark_.side = 32;
    benchmark_.warmup = 0;
    benchmark_.repetitions = {.runs = 2, .seconds = 0};
    benchmark_.peak_seconds = 0;
    benchmark_.training.emplace();
  }

  test::TemporaryDirectory directory_;
  ModelBenchmark benchmark_;
};

TEST_F(TrainingBenchmarkTest, TimesEveryPartOfAStep) {
  if (supports(CpuBackend(1), Precision::bf16)) benchmark_.precisions.push_back(Precision::bf16);
  benchmark_.side = 64;  // with batch norms over fewer pixels, nothing is left in bf16
  const ModelReport report = run(benchmark_);
  EXPECT_TRUE(report.correct()) << to_text(report, false);
  ASSERT_EQ(report.timings.size(), benchmark_.precisions.size());
  for (const ModelTiming& timing : report.timings) {
    EXPECT_EQ(timing.seconds.count, 2U);
    ASSERT_TRUE(timing.processor_seconds.has_value());
    EXPECT_GT(timing.processor_seconds->median, 0);
    ASSERT_TRUE(timing.training.has_value());
    EXPECT_EQ(timing.training->labels, (std::vector<std::int64_t>{3, 10}));
    ASSERT_EQ(timing.training->first_steps.size(), 3U);
    EXPECT_NE(timing.training->first_steps[0], timing.training->first_steps[1]);
    double steps = 0;
    std::vector<Phase> phases;
    for (const StepTime& step : timing.steps) {
      steps += step.seconds.best;
      phases.push_back(step.phase);
      EXPECT_GT(step.work.bytes, 0) << step.name;
      if (step.op.ends_with("_gradient")) {
        EXPECT_EQ(step.phase, Phase::backward) << step.name;
      }
      EXPECT_EQ(step.phase == Phase::update, step.op == "gradient_norm" || step.op == "sgd") << step.name;
    }
    EXPECT_TRUE(std::ranges::is_sorted(phases));
    EXPECT_EQ(std::set<Phase>(phases.begin(), phases.end()).size(), 3U);
    EXPECT_LE(steps, timing.seconds.median);
    EXPECT_GT(steps, 0);
  }
}

TEST_F(TrainingBenchmarkTest, WritesReports) {
  benchmark_.training->momentum_file = directory_ / "momentum.safetensors";
  const ModelReport report = run(benchmark_);
  const nlohmann::json json = nlohmann::json::parse(to_json(report));
  EXPECT_EQ(json.at("training").at("learning_rate"), StepOptions().learning_rate);
  const nlohmann::json& training = json.at("timings").at(0).at("training");
  EXPECT_EQ(training.at("first_steps").size(), 3U);
  EXPECT_EQ(training.at("memory_bytes").at("total"), report.timings[0].training->memory.total());
  double phases = 0, steps = 0;
  for (const auto& [name, seconds] : training.at("phase_seconds").items()) phases += seconds.get<double>();
  for (const StepTime& step : report.timings[0].steps) steps += step.seconds.median;
  EXPECT_EQ(training.at("phase_seconds").size(), 3U);
  EXPECT_NEAR(phases, steps, 1e-9 * steps);

  const std::string text = to_text(report, true);
  for (const char* expected : {"One step of training", "Step 3: loss", "[backward]", "sgd", "MiB"}) {
    EXPECT_NE(text.find(expected), std::string::npos) << expected << "\n" << text;
  }
  const std::string explained = explain_training(report.timings[0], 0);
  for (const char* expected :
       {"an H200", "conv3d_weight_gradient", "memory", "(4, 3, 1, 7, 7)", " tensors"}) {
    EXPECT_NE(explained.find(expected), std::string::npos) << expected << "\n" << explained;
  }
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(explained, '\n')),
            report.timings[0].steps.size() + 4);

  const auto file = SafetensorsFile::open(directory_ / "momentum.safetensors").value_or_throw();
  EXPECT_NE(file.find("momentum/backbone.conv1.conv.weight"), nullptr);
  EXPECT_NE(file.find("momentum/cls_head.fc_cls.bias"), nullptr);
}

TEST_F(TrainingBenchmarkTest, TellsThePlanWithoutRunningIt) {
  benchmark_.plan_only = true;
  const ModelReport report = run(benchmark_);
  const ModelTiming& timing = report.timings.at(0);
  EXPECT_TRUE(report.correct());
  EXPECT_EQ(timing.seconds.count, 0U);
  EXPECT_TRUE(timing.training->first_steps.empty());
  EXPECT_GT(timing.training->memory.arena, timing.training->memory.gradients);
  EXPECT_NE(to_text(report, true).find("Memory by the plan"), std::string::npos);
  EXPECT_NE(explain_training(timing, 100).find("conv3d_data_gradient"), std::string::npos);
  const nlohmann::json json = nlohmann::json::parse(to_json(report)).at("timings").at(0);
  EXPECT_EQ(json.at("training").at("memory_bytes").at("arena"), timing.arena_bytes);
}

TEST_F(TrainingBenchmarkTest, LearnsNothingThatIsFrozen) {
  benchmark_.training->options.form.frozen = {"backbone", "neck"};
  const ModelReport report = run(benchmark_);
  EXPECT_TRUE(report.correct()) << to_text(report, false);
  const TrainingMemory& memory = report.timings[0].training->memory;
  EXPECT_EQ(memory.momentum, 4U * 11 * (80 + 1));
  EXPECT_EQ(memory.gradients, memory.momentum);
  for (const StepTime& step : report.timings[0].steps) EXPECT_NE(step.op, "conv3d_weight_gradient");
}

/// The CPU, but for operations whose kernels `replace` makes.
class FaultyBackend final : public Backend {
 public:
  using Replace = std::function<std::unique_ptr<Kernel>(const AnyOp& op, std::unique_ptr<Kernel> right)>;
  explicit FaultyBackend(Replace replace) : replace_(std::move(replace)) {}

  [[nodiscard]] std::string_view name() const override { return "faulty"; }
  [[nodiscard]] bool supports(DType dtype) const override { return cpu_.supports(dtype); }
  [[nodiscard]] bool supports(const AnyOp& op) const override { return cpu_.supports(op); }
  [[nodiscard]] std::unique_ptr<Kernel> compile(const AnyOp& op, const Signature& signature) const override {
    return replace_(op, cpu_.compile(op, signature));
  }
  void enter_thread() const override { cpu_.enter_thread(); }

 private:
  CpuBackend cpu_{1};
  Replace replace_;
};

/// Runs a kernel, then `spoil` on its first output, where that is in f32.
class SpoiledKernel final : public Kernel {
 public:
  SpoiledKernel(std::unique_ptr<Kernel> right, std::function<void(std::span<float>)> spoil)
      : right_(std::move(right)), spoil_(std::move(spoil)) {}

  [[nodiscard]] std::span<const std::shared_ptr<const Packing>> packings() const override {
    return right_->packings();
  }
  void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
           std::span<const std::byte* const> packed, std::byte* scratch, Stream& stream) const override {
    right_->run(inputs, outputs, packed, scratch, stream);
    spoil_({reinterpret_cast<float*>(outputs[0].data), static_cast<std::size_t>(outputs[0].shape.count())});
  }
  [[nodiscard]] std::size_t scratch_bytes() const override { return right_->scratch_bytes(); }
  [[nodiscard]] std::string implementation() const override { return "spoiled"; }
  [[nodiscard]] int in_place_input() const override { return right_->in_place_input(); }

 private:
  std::unique_ptr<Kernel> right_;
  std::function<void(std::span<float>)> spoil_;
};

/// A device on which every operation Op is spoiled.
template <class Op>
BenchmarkDevice device_that_spoils(const std::function<void(std::span<float>)>& spoil) {
  BenchmarkDevice device;
  device.backend = [spoil](int) {
    return std::make_shared<const FaultyBackend>([spoil](const AnyOp& op, std::unique_ptr<Kernel> right) {
      if (!std::holds_alternative<Op>(op)) return right;
      return std::unique_ptr<Kernel>(std::make_unique<SpoiledKernel>(std::move(right), spoil));
    });
  };
  return device;
}

TEST_F(TrainingBenchmarkTest, NoticesAWrongGradient) {
  const ModelReport report = run(
      benchmark_, device_that_spoils<ops::MaxPool3dGradient>([](std::span<float> dx) { dx.front() += 1; }));
  EXPECT_FALSE(report.correct());
  EXPECT_EQ(report.timings[0].seconds.count, 0U);
  EXPECT_NE(to_text(report, true).find("WRONG"), std::string::npos);
}

TEST_F(TrainingBenchmarkTest, NoticesStepsThatDifferFromRunToRun) {
  const auto runs = std::make_shared<std::atomic<int>>(0);
  const ModelReport report =
      run(benchmark_, device_that_spoils<ops::CrossEntropy>([runs](std::span<float> loss) {
            loss.front() += 1e-5F * static_cast<float>(++*runs);
          }));
  ASSERT_TRUE(report.timings[0].verification.has_value());
  EXPECT_TRUE(report.timings[0].verification->passed());
  EXPECT_FALSE(report.correct());
  EXPECT_NE(to_text(report, false).find("WRONG: The first steps"), std::string::npos);
  EXPECT_TRUE(nlohmann::json::parse(to_json(report))["timings"][0]["training"].contains("fault"));
}

TEST_F(TrainingBenchmarkTest, NoticesWhatIsNotFinite) {
  benchmark_.verify = false;
  const ModelReport report = run(benchmark_, device_that_spoils<ops::CrossEntropy>([](std::span<float> loss) {
                                   loss.front() = std::numeric_limits<float>::quiet_NaN();
                                 }));
  EXPECT_FALSE(report.correct());
  EXPECT_NE(report.timings[0].training->fault.find("step 1 is not finite"), std::string::npos);
}

/// x, a convolution, ReLU in its place, and a second convolution of which the first's output is no part.
TEST(TrainingMemory, IsWhatIsNeededAtOnce) {
  Graph graph;
  const ValueId x = graph.add_input("x", activation({1, 1, 8, 8, 16}));
  const ValueId wide = graph.add_constant("wide", weight({64, 16, 1, 1, 1}), Role::parameter);
  const ValueId narrow = graph.add_constant("narrow", weight({16, 64, 1, 1, 1}), Role::parameter);
  const ValueId state = graph.add_constant("state", per_channel(5), Role::state);
  (void)state;
  const ValueId y = graph.apply(ops::Relu{}, {graph.apply(ops::Conv3d{}, {x, wide}, "y")}, "positive");
  const ValueId z = graph.apply(ops::Conv3d{}, {y, narrow}, "z");
  graph.add_feature("z", z);
  graph.set_role(z, Role::output);
  const auto backend = std::make_shared<const CpuBackend>(1);
  const Plan plan(graph, backend, {.fuse = false});
  const TrainingMemory memory = training_memory(plan, 2);
  constexpr std::size_t pixels = 64, element = 4;
  EXPECT_EQ(memory.parameters, 2 * 64 * 16 * element);
  EXPECT_EQ(memory.momentum, 5 * element);
  EXPECT_EQ(memory.peak_step, "y");
  EXPECT_EQ(memory.packed, memory.parameters);
  EXPECT_EQ(memory.peak, pixels * (16 + 64) * element + memory.workspace);
  const std::size_t alignment = backend->memory_alignment();
  EXPECT_EQ(memory.arena, (memory.peak + alignment - 1) / alignment * alignment);
  ASSERT_EQ(memory.largest.size(), 2U);
  EXPECT_EQ(memory.largest[0].name, "y");
  EXPECT_EQ(memory.largest[0].bytes, pixels * 64 * element);
  EXPECT_EQ(memory.largest[1].what, "workspace");
  EXPECT_EQ(memory.largest[1].bytes, memory.workspace);
  EXPECT_EQ(memory.total(), memory.parameters + memory.packed + memory.momentum + memory.arena);
}

TEST(TrainingMemory, HasFormsOfWhatIsUpdatedInTheArena) {
  Graph graph;
  const ValueId x = graph.add_input("x", activation({1, 1, 8, 8, 16})),
                one = graph.add_input("one", scalar());
  const TensorSpec filters = weight({64, 16, 1, 1, 1});
  const ValueId w = graph.add_constant("w", filters, Role::parameter);
  const ValueId y = graph.apply(ops::Conv3d{}, {x, w}, "y");
  graph.add_feature("y", y);
  graph.set_role(y, Role::output);
  const ValueId gradient = graph.add_input("gradient", filters);
  const ValueId momentum = graph.add_constant("momentum", filters, Role::state);
  graph.apply(ops::Sgd{}, {one, one, one, w, gradient, momentum}, "update");
  const TrainingMemory memory =
      training_memory(Plan(graph, std::make_shared<const CpuBackend>(1), {.fuse = false}));
  EXPECT_EQ(memory.packed, 0U);
  const auto form = std::ranges::find(memory.largest, "packed weight", &ArenaTensor::what);
  ASSERT_NE(form, memory.largest.end());
  EXPECT_EQ(form->bytes, memory.parameters);
}

}  // namespace
}  // namespace tpn::benchmarks
