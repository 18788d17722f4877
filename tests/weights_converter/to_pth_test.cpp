#include "weights_converter/to_pth.h"

#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/model/model_file.h"
#include "engine/networks/initialize.h"
#include "kernels/error.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_config.h"

namespace tpn {
namespace {

class ToPth : public testing::Test {
 protected:
  void write_model() { write_random_model(config_, Initialization::varied, 1, {}, model_); }
  std::string notes() {
    write_model();
    std::string text;
    for (const std::string& note : export_pth(model_, out_).notes) text += note + '\n';
    return text;
  }

  test::TemporaryDirectory folder_;
  Config config_ = test::tiny_config("tpn-tsm-r50-1x1x8", 2, 7);
  std::filesystem::path model_ = folder_ / "model.safetensors";
  std::filesystem::path out_ = folder_ / "out.pth";
};

TEST_F(ToPth, TellsWhatMmaction2DoesOtherwise) {
  for (const int channels : {64, 4096}) {
    config_.neck.pyramid_channels = config_.head.in_channels = channels;
    EXPECT_NE(notes().find("has " + std::to_string(channels) + " and will not load"), std::string::npos);
  }
  config_.neck.pyramid_channels = config_.head.in_channels = 2048;
  EXPECT_EQ(notes(), "");
  config_.backbone.tsm_position = TsmPosition::inplace;
  EXPECT_NE(notes().find("shifts the shortcut too"), std::string::npos);
}

TEST_F(ToPth, RefusesOtherShapes) {
  write_model();
  const ModelFile model = open_model_file(model_);
  std::vector<SafetensorsOutput> outputs;
  for (const auto& entry : model.tensors.entries()) {
    const Shape& s = entry.shape;
    const bool other = entry.name == "cls_head.fc_cls.weight";
    outputs.push_back({entry.name, entry.dtype, other ? Shape{s[1], s[0]} : s, [&](const auto& sink) {
                         const ConstTensorView view = model.tensors.view(entry);
                         sink({view.data, view.bytes()});
                       }});
  }
  write_safetensors(folder_ / "other", model.tensors.metadata(), outputs);
  try {
    export_pth(folder_ / "other", out_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("cls_head.fc_cls.weight"), std::string::npos) << error.what();
  }
  EXPECT_FALSE(std::filesystem::exists(out_));
}

}  // namespace
}  // namespace tpn
