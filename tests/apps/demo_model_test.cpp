// The model and the clips that scripts/demo shows.
#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/recognize/tpn.h"
#include "engine/synthetic/motion_clips.h"
#include "tests/support/temporary_directory.h"
#include "weights_converter/convert.h"

namespace tpn {
namespace {

namespace fs = std::filesystem;
const fs::path demo = TPN_DEMO;

std::vector<fs::path> clips() {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(demo / "clips")) paths.push_back(entry.path());
  std::ranges::sort(paths);
  return paths;
}

/// "rotating_fast.mp4" -> "rotating fast".
std::string action_in(const fs::path& clip) {
  std::string name = clip.stem().string();
  std::ranges::replace(name, '_', ' ');
  return name;
}

/// Each clip shows what its name says, and every class is among them.
TEST(DemoModel, SeesHowShapesMove) {
  const test::TemporaryDirectory folder;
  const fs::path model = folder.path() / "model.safetensors";
  const auto report = convert_checkpoint(demo / "tpn-motion.pth", model, {});
  ASSERT_TRUE(report.ok()) << report.failure().message;
  RecognizerOptions options;
  options.device = Device::cpu;
  options.threads = 1;
  Recognizer recognizer(Model::load(model.string()), options);
  std::set<std::string> seen;
  for (const fs::path& clip : clips()) {
    const Recognition recognition = recognizer.classify(clip.string());
    const Prediction best = recognition.top(1).front();
    EXPECT_EQ(best.label, action_in(clip));
    EXPECT_GT(best.score, 0.5) << clip;
    seen.insert(best.label);
  }
  std::set<std::string> classes;
  for (const MotionClass& motion_class : motion_classes()) classes.insert(name_of(motion_class));
  EXPECT_EQ(seen, classes);
}

}  // namespace
}  // namespace tpn
