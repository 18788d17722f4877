// The conversion of a checkpoint of full size, as mmengine's runner saves it in training.
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "engine/model/model_file.h"
#include "engine/networks/initialize.h"
#include "tests/support/run_program.h"
#include "tests/support/temporary_directory.h"
#include "tests/weights_converter/synthetic_checkpoint.h"
#include "weights_converter/sha256.h"

namespace tpn {
namespace {

constexpr long memory_limit_kib = 64 * 1024;  // mapped pages included

TEST(FullSizeConversion, IsExactAndStreams) {
  const test::TemporaryDirectory folder;
  const Config config = builtin_config("tpn-slowonly-r50-16x4");
  const std::string checkpoint = folder / "epoch_150.pth";
  test::write_checkpoint(config, checkpoint,
                         {.cfg = test::slowonly_cfg(16, 4), .training_state = test::TrainingState::present});
  const std::string model = folder / "model.safetensors";
  const auto there = test::run_program(TPN_CONVERT, {checkpoint, model});
  ASSERT_EQ(there.status, 0) << there.error;
  EXPECT_LT(there.peak_resident_kib, memory_limit_kib);
  EXPECT_NE(there.out.find("91498336 parameters"), std::string::npos) << there.out;
  EXPECT_NE(there.out.find("'message_hub', 'optimizer', 'param_schedulers'"), std::string::npos) << there.out;
  std::filesystem::remove(checkpoint);

  const ModelFile converted = open_model_file(model);
  EXPECT_EQ(converted.config.sampling, config.sampling);
  EXPECT_EQ(converted.config.neck, config.neck);
  EXPECT_EQ(converted.config.head.dropout_ratio, 0.25) << "from the configuration text";
  EXPECT_EQ(converted.labels.size(), 400U);
  for (const ParameterSpec& spec : parameter_specs(config)) {
    const auto* entry = converted.tensors.find(spec.name);
    ASSERT_NE(entry, nullptr) << spec.name;
    const ConstTensorView view = converted.tensors.view(*entry);
    std::size_t at = 0;
    bool equal = true;
    initialize_parameter(spec, config, Initialization::varied, 1, [&](std::span<const std::byte> piece) {
      equal = equal && at + piece.size() <= view.bytes() &&
              std::equal(piece.begin(), piece.end(), view.data + at);
      at += piece.size();
    });
    EXPECT_TRUE(equal && at == view.bytes()) << spec.name;
    converted.tensors.release(*entry);
  }

  const std::string back = folder / "back.pth";
  const auto exported = test::run_program(TPN_CONVERT, {"--to-pth", model, back});
  ASSERT_EQ(exported.status, 0) << exported.error;
  EXPECT_LT(exported.peak_resident_kib, memory_limit_kib);
}

}  // namespace
}  // namespace tpn
