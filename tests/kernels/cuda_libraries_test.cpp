// How the libraries are found, and that cuDNN takes the graphs that are built for it: it makes plans for a
// device that is only described to it, so that no GPU is needed.
#include <gtest/gtest.h>

#include "kernels/cuda/libraries/cudnn_graph.h"
#include "kernels/cuda/libraries/dynamic_library.h"
#include "kernels/cuda/libraries/libraries.h"

namespace tpn::cuda {
namespace {

constexpr const char* h100 = R"({
  "deviceName": "NVIDIA H100 80GB HBM3", "deviceVer": 900, "driverVer": 13000, "cudaDeviceId": 0, "pciDeviceId": 9008,
  "isTccDriver": 0, "supportCoopLaunch": 1, "multiProcessorCount": 132, "warpSize": 32, "smClockRateKHz": 1980000,
  "memClockRateKHz": 2619000, "totalGlobalMem": 85000000000, "l2CacheSize": 52428800, "regsPerBlock": 65536,
  "maxRegistersPerSM": 65536, "maxCtasPerSM": 32, "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048,
  "maxSharedMemoryPerBlock": 49152, "maxSharedMemoryPerBlockOptin": 232448, "reservedSharedMemoryPerBlock": 1024,
  "maxGridSize": [2147483647, 65535, 65535], "maxBlockSize": [1024, 1024, 64]})";

class CudnnGraphTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!cudnn_api()) GTEST_SKIP() << cudnn_api().failure().message;
    if (cudnn_api()->version() < 91900) GTEST_SKIP() << "Older versions describe devices in other words.";
  }

  /// Plans for a full-size layer as the network has it.
  static std::vector<ConvPlan> plans(const ops::Case<ops::FusedConv3d>& c, DType dtype, bool tf32,
                                     std::string_view only = {}) {
    std::vector<Operand> inputs;
    for (const TensorSpec& spec : c.inputs)
      inputs.push_back({.shape = spec.shape, .dtype = dtype, .kind = spec.kind});
    const std::vector<Operand> outputs{{c.op.infer(c.inputs)[0].shape, dtype}};
    const Result<Conv2dShape> shape = conv2d_shape(*library_operation(c.op, {inputs, outputs, tf32}));
    EXPECT_TRUE(shape.ok());
    return plans(*shape, only);
  }
  static std::vector<ConvPlan> plans(const Conv2dShape& shape, std::string_view only = {}) {
    return conv2d_plans(*cudnn_api(), shape, cudnn_device(*cudnn_api(), h100), 4, only);
  }
};

TEST_F(CudnnGraphTest, LayersHavePlans) {
  int layers = 0;
  for (const auto& c : ops::FusedConv3d::cases()) {
    if (!c.full_size) continue;
    ++layers;
    for (const DType dtype : {DType::bf16, DType::f16}) {
      SCOPED_TRACE(c.label + " " + std::string(name_of(dtype)));
      const std::vector<ConvPlan> found = plans(c, dtype, false);
      EXPECT_FALSE(found.empty());
      for (const ConvPlan& plan : found) EXPECT_LE(plan.workspace, std::size_t{64} << 20);
    }
  }
  EXPECT_GE(layers, 7);
}

/// Of the layers' data in every type, and of their weights where nothing is rounded to 16 bits.
TEST_F(CudnnGraphTest, GradientsHavePlans) {
  int gradients = 0;
  for (const auto& c : ops::FusedConv3d::cases()) {
    if (!c.full_size || c.op.shift_fold != 0) continue;
    const Shape &x = c.inputs[0].shape, &weight = c.inputs[1].shape, y = c.op.conv.output(x, weight);
    for (const DType dtype : {DType::bf16, DType::f16, DType::f32}) {
      SCOPED_TRACE(c.label + " " + std::string(name_of(dtype)));
      LibraryOperation operation{.pass = ConvPass::data_gradient,
                                 .op = {.conv = c.op.conv},
                                 .x = {.shape = x, .dtype = dtype, .pixel_stride = (x[4] + 7) / 8 * 8},
                                 .y = {.shape = y, .dtype = dtype},
                                 .residual = {},
                                 .weight = weight,
                                 .tf32 = true};
      const std::vector<ConvPlan> of_data = plans(*conv2d_shape(operation));
      ASSERT_FALSE(of_data.empty());
      EXPECT_TRUE(of_data[0].name.starts_with("cudnn_data_gradient_engine")) << of_data[0].name;
      ++gradients;
      operation.pass = ConvPass::weight_gradient;
      const Result<Conv2dShape> of_weight = conv2d_shape(operation);
      EXPECT_EQ(of_weight.ok(), dtype == DType::f32);
      if (!of_weight) continue;
      const std::vector<ConvPlan> found = plans(*of_weight);
      ASSERT_FALSE(found.empty());
      EXPECT_TRUE(found[0].name.starts_with("cudnn_weight_gradient_engine")) << found[0].name;
    }
  }
  EXPECT_GE(gradients, 18);
}

TEST_F(CudnnGraphTest, NamesArePlansOwn) {
  const auto all = ops::FusedConv3d::cases();
  const auto layer =
      std::find_if(all.begin(), all.end(), [](const auto& c) { return c.label == "res4_spatial"; });
  const std::vector<ConvPlan> found = plans(*layer, DType::bf16, false);
  ASSERT_GE(found.size(), 2U);
  EXPECT_NE(found[0].name, found[1].name);
  const std::vector<ConvPlan> second = plans(*layer, DType::bf16, false, found[1].name);
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second[0].name, found[1].name);
}

TEST_F(CudnnGraphTest, ARefusalIsASentence) {
  Conv2dShape shape;
  shape.x = {1, 4, 4, 8, 128, 32, 8};
  shape.y = {1, 9, 9, 8, 648, 72, 8};  // larger than the convolution makes it
  shape.kernel = {3, 3};
  const CudnnDescriptor device = cudnn_device(*cudnn_api(), h100);
  try {
    (void)conv2d_plans(*cudnn_api(), shape, device, 1, {});
    FAIL();
  } catch (const Error& e) {
    EXPECT_TRUE(std::string(e.what()).starts_with("cuDNN failed when ")) << e.what();
  }
}

TEST(DynamicLibrary, TellsWhatIsMissing) {
  const Result<DynamicLibrary> missing = DynamicLibrary::open("libtpn_has_no_such.so.1", "/nowhere");
  ASSERT_FALSE(missing.ok());
  EXPECT_TRUE(missing.failure().message.starts_with("The library libtpn_has_no_such.so.1 cannot be used: "));
  static_assert(!std::is_copy_constructible_v<DynamicLibrary>);
  static_assert(std::is_nothrow_move_constructible_v<DynamicLibrary>);

  const Result<DynamicLibrary> c = DynamicLibrary::open("libc.so.6", "");
  ASSERT_TRUE(c.ok());
  int (*absolute)(int) = nullptr;
  c->load(absolute, "abs");
  EXPECT_EQ(absolute(-3), 3);
  EXPECT_THROW(c->load(absolute, "tpn_has_no_such_function"), Error);
}

TEST(LibraryVersions, NameWhatCanBeUsed) {
  const std::string versions = library_versions(libraries());
  EXPECT_EQ(versions.find("cuDNN 9.") != std::string::npos, cudnn_api().ok()) << versions;
}

TEST(CudnnDescriptor, MovesAndDestroysWithoutThrowing) {
  static_assert(std::is_nothrow_move_constructible_v<CudnnDescriptor>);
  static_assert(std::is_nothrow_destructible_v<CudnnDescriptor>);
  static_assert(!std::is_copy_constructible_v<CudnnDescriptor>);
}

}  // namespace
}  // namespace tpn::cuda
