// The program tpn_infer, as its users run it.
#include <array>
#include <charconv>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/model/safetensors.h"
#include "kernels/cpu/cpu_backend.h"
#include "tests/recognize/tiny_model.h"
#include "tests/support/run_program.h"

namespace tpn {
namespace {

using nlohmann::json;

const std::string videos = TPN_TEST_DATA "/video/";

test::ProgramResult infer(const std::vector<std::string>& arguments, const std::string& input = {}) {
  return test::run_program(TPN_INFER, arguments, input);
}

std::vector<json> lines_of(const std::string& text) {
  std::vector<json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(json::parse(line));
  return lines;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class Infer : public testing::Test {
 protected:
  /// With the model, on the CPU, in JSON.
  test::ProgramResult run(std::vector<std::string> arguments, const std::string& input = {}) const {
    const std::vector<std::string> first{
        "--model", model_.path().string(), "--format", "json", "--device", "cpu", "--threads", "1"};
    arguments.insert(arguments.begin(), first.begin(), first.end());
    return infer(arguments, input);
  }
  [[nodiscard]] std::string file(const std::string& name) const {
    return (model_.directory() / name).string();
  }

  test::TinyModel model_;
};

TEST_F(Infer, PrintsTheBestClasses) {
  const test::ProgramResult r = infer({"--model", model_.path().string(), videos + "gray.mp4", "--top", "5",
                                       "--device", "cpu", "--threads", "1"});
  EXPECT_EQ(r.status, 0);
  EXPECT_EQ(r.error, "");
  EXPECT_TRUE(contains(r.out, "gray.mp4"));
  EXPECT_TRUE(contains(r.out, "3x3 views"));
  EXPECT_EQ(std::count(r.out.begin(), r.out.end(), '\n'), 6);
  const std::vector<std::string> labels = test::tiny_labels();
  for (std::size_t i = 0; i < labels.size(); ++i) {  // a class without a name is shown by its number
    const std::string shown = labels[i].empty() ? std::to_string(i) : labels[i];
    EXPECT_TRUE(contains(r.out, "  " + shown + "\n")) << shown << "\n" << r.out;
  }
}

TEST_F(Infer, WritesJson) {
  const test::ProgramResult r = run({videos + "gray.mp4", "--top", "2", "--scores"});
  ASSERT_EQ(r.status, 0) << r.error;
  EXPECT_EQ(r.error, "");
  const std::vector<json> lines = lines_of(r.out);
  ASSERT_EQ(lines.size(), 1U);
  const json& line = lines.front();
  EXPECT_EQ(line.at("input"), videos + "gray.mp4");
  EXPECT_GT(line.at("frames").get<int>(), 0);
  EXPECT_GT(line.at("fps").get<double>(), 0);
  EXPECT_GT(line.at("duration").get<double>(), 0);
  EXPECT_EQ(line.at("views"), 9);
  const auto scores = line.at("scores").get<std::vector<float>>();
  ASSERT_EQ(scores.size(), 5U);
  float sum = 0;
  for (const float score : scores) sum += score;
  EXPECT_NEAR(sum, 1, 1e-5);
  ASSERT_EQ(line.at("top").size(), 2U);
  for (const json& top : line.at("top")) {
    const auto index = top.at("index").get<std::size_t>();
    EXPECT_EQ(top.at("score").get<float>(), scores.at(index));
    const std::string label = test::tiny_labels().at(index);
    EXPECT_EQ(top.at("label"), label.empty() ? json() : json(label));
  }
  EXPECT_GE(line.at("top")[0].at("score"), line.at("top")[1].at("score"));
  for (const char* stage : {"decode", "convert", "resize", "transform", "inference", "total"}) {
    EXPECT_GE(line.at("timings").at(stage).get<double>(), 0) << stage;
  }
}

TEST_F(Infer, WritesTheDigitsThatAFloatHas) {
  const json line = lines_of(run({videos + "gray.mp4", "--scores"}).out).at(0);
  for (const json& score : line.at("scores")) {
    std::array<char, 32> shortest{};
    const auto end =
        std::to_chars(shortest.data(), shortest.data() + shortest.size(), score.get<float>()).ptr;
    double expected = 0;
    std::from_chars(shortest.data(), end, expected);
    EXPECT_EQ(score.get<double>(), expected);
  }
  for (const json& top : line.at("top")) {
    EXPECT_EQ(top.at("score"), line.at("scores").at(top.at("index").get<std::size_t>()));
  }
}

TEST_F(Infer, TakesTheViewsThatAreAskedFor) {
  const json line = lines_of(run({videos + "gray.mp4", "--views", "2x1"}).out).at(0);
  EXPECT_EQ(line.at("clips"), 2);
  EXPECT_EQ(line.at("crops"), 1);
}

TEST_F(Infer, PassesOptionsOn) {
  const auto scores = [&](const std::vector<std::string>& options) {
    std::vector<std::string> arguments{videos + "bt709.mp4", "--views", "1x1", "--scores"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const test::ProgramResult r = run(arguments);
    EXPECT_EQ(r.status, 0) << r.error;
    return lines_of(r.out).at(0).at("scores");
  };
  const json plain = scores({});
  EXPECT_EQ(scores({"--precision", "f32"}), plain);
  EXPECT_NE(scores({"--accurate-color"}), plain);
  if (CpuBackend(1).supports(DType::bf16)) {
    EXPECT_NE(scores({"--precision", "bf16"}), plain);
  }
  // 12 frames of 64x48 pixels in half a second.
  EXPECT_EQ(
      run({videos + "gray.mp4", "--max-pixels", "3072", "--max-frames", "12", "--max-duration", "1"}).status,
      0);
  EXPECT_EQ(run({videos + "gray.mp4", "--max-pixels", "3071"}).status, 1);
  EXPECT_EQ(run({videos + "gray.mp4", "--max-frames", "11"}).status, 1);
  EXPECT_EQ(run({videos + "gray.mp4", "--max-duration", "0.4"}).status, 1);
}

TEST_F(Infer, GoesOnAfterADamagedInput) {
  const test::ProgramResult r =
      run({"-", "--views", "1x1"}, videos + "gray.mp4\n" + videos + "no_moov.mp4\n" + videos +
                                       "damaged.mp4\n" + videos + "frames/png\n");
  EXPECT_EQ(r.status, 1);
  const std::vector<json> lines = lines_of(r.out);
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines[0].at("input"), videos + "gray.mp4");
  EXPECT_EQ(lines[1].at("input"), videos + "no_moov.mp4");
  EXPECT_TRUE(contains(lines[1].at("error"), "no_moov.mp4"));
  EXPECT_FALSE(lines[1].contains("top"));
  EXPECT_FALSE(lines[2].at("warnings").empty());
  EXPECT_EQ(lines[3].at("frames"), 12);
  for (const std::size_t good : {0U, 2U, 3U}) EXPECT_EQ(lines[good].at("views"), 1);
  // One line a sentence: the error and the warnings.
  EXPECT_EQ(std::count(r.error.begin(), r.error.end(), '\n'),
            static_cast<std::ptrdiff_t>(1 + lines[2].at("warnings").size()));
  EXPECT_TRUE(contains(r.error, "warning: "));
}

TEST_F(Infer, KeepsUnusualNamesApart) {
  const std::string name = file("a \"b\"\n\xff.mp4");
  const test::ProgramResult r = run({name});
  EXPECT_EQ(r.status, 1);
  const std::vector<json> lines = lines_of(r.out);
  ASSERT_EQ(lines.size(), 1U);
  // JSON holds UTF-8 only; where people read, the name is as it was given.
  EXPECT_TRUE(contains(lines[0].at("input"), "a \"b\"\n\xef\xbf\xbd.mp4")) << lines[0];
  EXPECT_TRUE(contains(r.error, name)) << r.error;
}

TEST_F(Infer, ReadsListsAndNamesOfFrames) {
  const test::ProgramResult empty = run({"@/dev/null"});
  EXPECT_EQ(empty.status, 0);
  EXPECT_EQ(empty.out, "");
  EXPECT_EQ(empty.error, "tpn_infer: warning: /dev/null names no videos.\n");
  const std::string with_nul =
      videos + std::string("gray.mp4\0", 9) + videos + std::string("frames/png\0", 11);
  const test::ProgramResult r = run({"-", "--null", "--frames", "img_%d.png", "--views", "1x1"}, with_nul);
  EXPECT_EQ(r.status, 0) << r.error;
  ASSERT_EQ(lines_of(r.out).size(), 2U);
  EXPECT_EQ(lines_of(r.out)[1].at("frames"), 12);
  const test::ProgramResult absent = run({videos + "frames/png", "--frames", "frame_%05d.png"});
  EXPECT_EQ(absent.status, 1);
  EXPECT_TRUE(contains(absent.error, "none of its 12 files is named like frame_%05d.png.")) << absent.error;
  const test::ProgramResult nonsense = run({videos + "frames/png", "--frames", "img_%s.png"});
  EXPECT_EQ(nonsense.status, 2);
  EXPECT_TRUE(contains(nonsense.error, "img_%05d.jpg")) << nonsense.error;
}

TEST_F(Infer, TellsUsageErrors) {
  const std::string model = model_.path().string();
  const std::string video = videos + "gray.mp4";
  const std::string no_list = std::string("@").append(file("nonexistent"));
  const std::vector<std::pair<std::vector<std::string>, std::string>> wrong{
      {{}, "--model"},
      {{video}, "--model"},
      {{"--model", model}, "VIDEO"},
      {{"--model", model, video, "--no-such-option"}, "--no-such-option"},
      {{"--model", model, video, "--views", "many"}, "'many'"},
      {{"--model", model, video, "--views", "1x2"}, "1 or 3 crops"},
      {{"--model", model, video, "--top", "0"}, "--top"},
      {{"--model", model, video, "--format", "xml"}, "--format"},
      {{"--model", model, video, "--device", "tpu"}, "--device"},
      {{"--model", model, video, "--device", "cpu", "--devices", "1"}, "devices of cuda"},
      {{"--model", model, video, "--precision", "f64"}, "--precision"},
      {{"--model", model, video, "--features"}, "--save-tensors"},
      {{"--model", model, video, "--tensor", file("x")}, "--tensor"},
      {{"--model", model, video, video, "--save-tensors", file("x")}, "--save-tensors"},
      {{"--model", model, no_list}, "nonexistent"},
      {{"--model", file("nonexistent"), video}, "nonexistent"},
      {{"--model", video, video}, "gray.mp4"},
      {{"--model", model, video, "--output", file("nonexistent/x")}, "nonexistent/x"},
  };
  for (const auto& [arguments, named] : wrong) {
    const test::ProgramResult r = infer(arguments);
    EXPECT_EQ(r.status, 2) << testing::PrintToString(arguments) << r.out;
    EXPECT_EQ(r.out, "");
    EXPECT_TRUE(contains(r.error, named)) << testing::PrintToString(arguments) << r.error;
  }
}

TEST_F(Infer, TakesAGpuOrTellsWhyNot) {
  const test::ProgramResult r =
      infer({"--model", model_.path().string(), "--device", "cuda", "--views", "1x1", videos + "gray.mp4"});
  if (r.status == 0) {
    EXPECT_TRUE(contains(r.out, "1x1 views")) << r.out;
  } else {  // a build without CUDA, or a machine without a usable GPU
    EXPECT_EQ(r.status, 2);
    EXPECT_EQ(r.out, "");
    EXPECT_TRUE(contains(r.error, "CUDA") || contains(r.error, "NVIDIA")) << r.error;
  }
}

/// The example commands of a help text: the indented lines that begin with one of the words.
std::vector<std::string> examples_in(const std::string& help) {
  std::vector<std::string> commands;
  std::istringstream lines(help.substr(help.find("\nExamples:\n") + 1));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("  ")) commands.push_back(line.substr(2));
  }
  return commands;
}

TEST_F(Infer, ExamplesOfTheHelpWork) {
  const test::ProgramResult help = infer({"--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_EQ(help.error, "");
  const std::vector<std::string> commands = examples_in(help.out);
  ASSERT_GE(commands.size(), 5U) << help.out;
  for (const char* model : {"tpn-slowonly-r50-8x8.safetensors", "m.safetensors"}) {
    std::filesystem::copy_file(model_.path(), file(model));
  }
  std::filesystem::create_directory(file("clips"));
  for (const char* video : {"jump.mp4", "clips/a.mp4"}) {
    std::filesystem::copy_file(videos + "gray.mp4", file(video));
  }
  const std::string setup = "cd '" + model_.directory().path().string() + "' && PATH='" +
                            std::filesystem::path(TPN_INFER).parent_path().string() + "':$PATH && ";
  for (const std::string& command : commands) {
    const test::ProgramResult r = test::run_program("/bin/sh", {"-c", setup + command});
    EXPECT_EQ(r.status, 0) << command << "\n" << r.error;
  }
  EXPECT_EQ(lines_of(test::read_file(file("results.jsonl"))).size(), 2U);
}

TEST_F(Infer, TellsItsVersion) {
  const test::ProgramResult version = infer({"--version"});
  EXPECT_EQ(version.status, 0);
  EXPECT_EQ(version.out, "tpn_infer " TPN_VERSION "\n");
}

TEST_F(Infer, WritesTheOutputFile) {
  const std::string path = file("results");
  const test::ProgramResult r = run({videos + "gray.mp4", "/nonexistent", "--output", path});
  EXPECT_EQ(r.status, 1);
  EXPECT_EQ(r.out, "");
  EXPECT_EQ(lines_of(test::read_file(path)).size(), 2U);
}

TEST_F(Infer, SavesAndTakesTensors) {
  const std::string saved = file("saved"), again = file("again");
  const test::ProgramResult first = run({videos + "h264_bframes.mp4", "--save-tensors", saved, "--features"});
  ASSERT_EQ(first.status, 0) << first.error;
  const test::ProgramResult second = run({"--tensor", saved, "--save-tensors", again});
  ASSERT_EQ(second.status, 0) << second.error;
  EXPECT_EQ(lines_of(first.out)[0].at("top"), lines_of(second.out)[0].at("top"));
  const SafetensorsFile a = SafetensorsFile::open(saved).value_or_throw();
  const SafetensorsFile b = SafetensorsFile::open(again).value_or_throw();
  EXPECT_EQ(a.find("frame_indices")->shape, (Shape{3, 4}));
  EXPECT_EQ(a.find("input")->shape, (Shape{9, 3, 4, 32, 32}));
  EXPECT_EQ(a.find("stem")->shape, (Shape{9, 2, 4, 8, 8}));
  EXPECT_EQ(a.find("neck")->shape, (Shape{9, 80, 1, 1, 1}));
  EXPECT_EQ(a.find("logits")->shape, (Shape{9, 5}));
  EXPECT_EQ(a.find("scores")->shape, (Shape{5}));
  EXPECT_EQ(b.find("input")->shape, a.find("input")->shape);
  EXPECT_EQ(b.find("logits")->shape, (Shape{9, 5}));
  EXPECT_EQ(run({"--tensor", model_.path().string()}).status, 1);
}

}  // namespace
}  // namespace tpn
