// Recognisers on CUDA devices: the same answers as on the CPU, whatever devices and memory there are.
#include <algorithm>
#include <array>
#include <string>

#include <gtest/gtest.h>

#include "engine/recognize/tpn.h"
#include "kernels/verify/tolerance.h"
#include "tests/cuda_on_cpu/control.h"
#include "tests/recognize/tiny_model.h"
#include "tests/support/frames.h"
#include "tests/support/images.h"

namespace tpn {
namespace {

class CudaRecognizer : public ::testing::Test {
 protected:
  void TearDown() override {
    cuda_on_cpu::set_device_count(1);
    cuda_on_cpu::set_device_memory(std::size_t{16} << 30);
  }

  static RecognizerOptions on_cuda() {
    RecognizerOptions options;
    options.device = Device::cuda;
    options.libraries = Libraries::none;
    return options;
  }
  [[nodiscard]] Recognition classify(const RecognizerOptions& options) const {
    return Recognizer(model_, options).classify(FrameSequence{frames_.pixels(), frames_.count(), 40, 48, 25});
  }
  [[nodiscard]] Recognition on_cpu() const {
    RecognizerOptions options;
    options.device = Device::cpu;
    return classify(options);
  }

  test::TinyModel file_;
  Model model_ = Model::load(file_.path());
  test::RandomFrames frames_{30, {48, 40}, 1};
};

TEST_F(CudaRecognizer, AgreesWithTheCpu) {
  const Recognition expected = on_cpu(), found = classify(on_cuda());
  EXPECT_EQ(found.views(), 9);
  EXPECT_EQ(found.frame_indices, expected.frame_indices);
  EXPECT_LE(verify::relative_l2(found.logits, expected.logits), verify::network_f32_relative_l2);
  EXPECT_LE(verify::relative_l2(found.scores, expected.scores), verify::network_f32_relative_l2);
  EXPECT_TRUE(found.warnings.empty());
}

TEST_F(CudaRecognizer, TakesFilesAndNv12Frames) {
  const std::string video = TPN_TEST_DATA "/video/h264_bframes.mp4";
  const test::RawFrames nv12({FrameFormat::nv12_bt601, {43, 35}}, 12, 1);
  const FrameSequence frames{nv12.pixels().data(), 12, 35, 43, 25, PixelFormat::nv12_bt601};
  for (const char* name : {"tpn-slowonly-r50-8x8", "tpn-tsm-r50-1x1x8"}) {
    const test::TinyModel file(name);
    const Model model = Model::load(file.path());
    Recognizer cpu(model, test::one_thread());
    Recognizer device(model, on_cuda());
    const auto expect_same = [&](const auto& input) {
      const Recognition expected = cpu.classify(input), found = device.classify(input);
      EXPECT_EQ(found.frame_indices, expected.frame_indices);
      EXPECT_EQ(found.warnings, expected.warnings);
      EXPECT_LE(verify::relative_l2(found.logits, expected.logits), verify::network_f32_relative_l2);
    };
    expect_same(video);
    expect_same(frames);
  }
}

TEST_F(CudaRecognizer, DumpsTheViewsThatItMade) {
  const std::string video = TPN_TEST_DATA "/video/h264_bframes.mp4";
  const std::filesystem::path path = file_.directory() / "dump.safetensors";
  RecognizerOptions options = on_cuda();
  options.batch = 4;
  Recognizer device(model_, options);
  const std::vector<float> logits = device.classify(video, TensorDump{path, true}).logits;
  EXPECT_EQ(device.classify_tensor(path).logits, logits);
}

TEST_F(CudaRecognizer, ComputesInEveryPrecision) {
  const Recognition expected = on_cpu();
  for (const Precision precision : {Precision::tf32, Precision::f16, Precision::bf16}) {
    RecognizerOptions options = on_cuda();
    options.precision = precision;
    EXPECT_LE(verify::relative_l2(classify(options).logits, expected.logits),
              verify::unfused_bf16_relative_l2);
  }
}

TEST_F(CudaRecognizer, SharesTheWorkBetweenDevices) {
  cuda_on_cpu::set_device_count(2);
  RecognizerOptions options = on_cuda();
  options.batch = 2;
  const std::vector<float> one_device = classify(options).logits;
  options.devices = {1, 0};
  for (int round = 0; round < 3; ++round) {
    int progress = 0;
    Recognizer recognizer(model_, options);
    const std::string video = TPN_TEST_DATA "/video/h264_bframes.mp4";
    const std::vector<std::string> inputs(3, video);
    std::vector<std::vector<float>> logits;
    recognizer.classify_all(
        inputs, [&](Outcome&& outcome) { logits.push_back(outcome.recognition.value().logits); },
        [&](const Progress& p) {
          ++progress;
          EXPECT_LE(p.views_done, p.views);
        });
    ASSERT_EQ(logits.size(), 3U);
    EXPECT_EQ(logits[1], logits[0]);
    EXPECT_EQ(logits[2], logits[0]);
    EXPECT_EQ(progress, 3 * 5);  // 9 views in batches of 2
    EXPECT_EQ(classify(options).logits, one_device);
  }
}

TEST_F(CudaRecognizer, MakesSmallerBatchesWhereMemoryRunsOut) {
  const std::vector<float> expected = classify(on_cuda()).logits;
  // Less and less memory, until not even one view fits.
  bool warned = false, refused = false;
  for (std::size_t memory = std::size_t{8} << 20; memory >= 1024 && !refused; memory = memory * 7 / 8) {
    const Model fresh = Model::load(file_.path());  // whose weights are not on the device yet
    cuda_on_cpu::set_device_memory(memory);
    try {
      Recognizer recognizer(fresh, on_cuda());
      const Recognition found =
          recognizer.classify(FrameSequence{frames_.pixels(), frames_.count(), 40, 48, 25});
      EXPECT_LE(verify::relative_l2(found.logits, expected), verify::network_f32_relative_l2);
      for (const std::string& warning : found.warnings) {
        warned = true;
        EXPECT_NE(warning.find("memory"), std::string::npos) << warning;
        EXPECT_NE(warning.find("cuda"), std::string::npos) << warning;
        const bool halved = std::ranges::any_of(std::array{5, 3, 2, 1}, [&](int views) {  // of 9 at first
          return warning.ends_with(" with " + std::to_string(views) + ".");
        });
        EXPECT_TRUE(halved) << warning;
      }
    } catch (const std::exception& e) {
      refused = true;
      EXPECT_NE(std::string(e.what()).find("memory"), std::string::npos) << e.what();
    }
  }
  EXPECT_TRUE(warned);
  EXPECT_TRUE(refused);
}

TEST_F(CudaRecognizer, MakesSmallerBatchesOfGivenViews) {
  std::vector<float> values(std::size_t{7} * 3 * 4 * 32 * 32);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i * 7 % 101) / 50 - 1;
  const ViewTensor views{values, {7, 3, 4, 32, 32}};
  const std::vector<float> expected = Recognizer(model_, on_cuda()).classify(views).logits;
  bool warned = false;
  for (std::size_t memory = std::size_t{8} << 20; memory >= 1024 && !warned; memory = memory * 7 / 8) {
    const Model fresh = Model::load(file_.path());
    cuda_on_cpu::set_device_memory(memory);
    const Recognition found = Recognizer(fresh, on_cuda()).classify(views);
    EXPECT_LE(verify::relative_l2(found.logits, expected), verify::network_f32_relative_l2);
    warned = !found.warnings.empty();
  }
  EXPECT_TRUE(warned);
}

TEST_F(CudaRecognizer, EndsWhereEveryBatchFails) {
  cuda_on_cpu::set_device_count(2);
  cuda_on_cpu::set_device_memory(4096);
  RecognizerOptions options = on_cuda();
  options.devices = {0, 1};
  options.batch = 1;
  try {
    (void)classify(options);
    ADD_FAILURE() << "There was enough memory.";
  } catch (const std::exception& e) {
    EXPECT_NE(std::string(e.what()).find("memory"), std::string::npos) << e.what();
  }
}

TEST_F(CudaRecognizer, SaysThatThereIsNoDevice) {
  cuda_on_cpu::set_device_count(0);
  try {
    Recognizer(model_, on_cuda());
    ADD_FAILURE() << "A device was found.";
  } catch (const std::exception& e) {
    EXPECT_NE(std::string(e.what()).find("choose the device cpu"), std::string::npos) << e.what();
  }
  const RecognizerOptions automatic;
  EXPECT_EQ(classify(automatic).logits, on_cpu().logits);
}

}  // namespace
}  // namespace tpn
