// What tpn_infer writes, and what it does not write over.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "tests/recognize/tiny_model.h"
#include "tests/support/devices.h"
#include "tests/support/run_program.h"

namespace tpn {
namespace {

using nlohmann::json;
using test::ProgramResult;
using test::ProgramSetting;
namespace fs = std::filesystem;

const std::string video = TPN_TEST_DATA "/video/gray.mp4";

std::vector<json> lines_of(const std::string& text) {
  std::vector<json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(json::parse(line));
  return lines;
}

class InferOutput : public testing::Test {
 protected:
  ProgramResult run(const std::vector<std::string>& arguments, const ProgramSetting& setting = {}) const {
    std::vector<std::string> all{"--model", model_.path().string(), "--device", "cpu"};
    for (const auto& [option, value] :
         {std::pair("--format", "json"), std::pair("--views", "1x1"), std::pair("--threads", "1")}) {
      if (std::ranges::count(arguments, option) == 0) all.insert(all.end(), {option, value});
    }
    all.insert(all.end(), arguments.begin(), arguments.end());
    return test::run_program(TPN_INFER, all, setting);
  }
  /// A copy of the video that a test may lose.
  [[nodiscard]] std::string copy(const std::string& name) const {
    fs::copy_file(video, file(name));
    return file(name);
  }
  [[nodiscard]] std::string file(const std::string& name) const { return (folder_ / name).string(); }

  /// Refused with a sentence that has the part, and nothing in the folder has changed.
  void expect_refused(const std::vector<std::string>& arguments, const std::string& part) const {
    const auto entries = folder_.entry_count();
    const ProgramResult r = run(arguments);
    EXPECT_EQ(r.status, 2) << testing::PrintToString(arguments) << r.error;
    EXPECT_EQ(r.out, "");
    EXPECT_NE(r.error.find(part), std::string::npos) << r.error;
    EXPECT_EQ(std::count(r.error.begin(), r.error.end(), '\n'), 1) << r.error;
    EXPECT_EQ(folder_.entry_count(), entries);
  }

  test::TinyModel model_;
  test::TemporaryDirectory folder_;
};

TEST_F(InferOutput, LeavesWhatItReadsAlone) {
  const std::string input = copy("a.mp4");
  const std::string bytes = test::read_file(input);
  const std::string list = folder_.write("list", input + "\n");
  fs::create_symlink("a.mp4", file("link"));
  fs::create_symlink(model_.path(), file("model_link"));
  for (const char* option : {"--output", "--save-tensors"}) {
    expect_refused({input, option, input}, "the input itself");
    expect_refused({input, option, file("./../") + folder_.path().filename().string() + "/a.mp4"},
                   "the input itself");
    expect_refused({input, option, file("link")}, "the input itself");
    expect_refused({"@" + list, option, input}, "the input itself");
    expect_refused({"@" + list, option, list}, "the list of videos itself");
    expect_refused({input, option, model_.path()}, "the model itself");
    expect_refused({input, option, file("model_link")}, "the model itself");
    expect_refused({input, option, folder_.path()}, "a folder");
    expect_refused({input, option, file("absent/x")}, "absent");
    expect_refused({input, option, ""}, "empty");
  }
  expect_refused({input, "--output", file("x"), "--save-tensors", file("x")}, "--output");
  fs::create_hard_link(input, file("hard"));
  expect_refused({input, "--output", file("hard")}, "the input itself");
  EXPECT_EQ(test::read_file(input), bytes);
}

TEST_F(InferOutput, LeavesFramesOfAFolderAlone) {
  const fs::path frames = folder_ / "frames";
  fs::copy(fs::path(TPN_TEST_DATA) / "video/frames/png", frames);
  const fs::path first = *fs::directory_iterator(frames);
  expect_refused({frames, "--output", first}, "a file of the input");
}

TEST_F(InferOutput, DoesNotAppendToAnInput) {
  const std::string input = copy("a.mp4"), bytes = test::read_file(input);
  const ProgramResult r = run({input}, {.standard_output = input});
  EXPECT_EQ(r.status, 2);
  EXPECT_NE(r.error.find("Standard output is the input"), std::string::npos) << r.error;
  EXPECT_EQ(test::read_file(input), bytes);
}

TEST_F(InferOutput, KeepsLinksAndPermissions) {
  const std::string target = folder_.write("target", "old");
  ASSERT_EQ(::chmod(target.c_str(), 0640), 0);
  fs::create_directory(file("sub"));
  fs::create_symlink("../target", file("sub/link"));
  fs::create_symlink("not_there_yet", file("dangling"));
  for (const auto& [name, to] :
       {std::pair(file("sub/link"), target), std::pair(file("dangling"), file("not_there_yet"))}) {
    const ProgramResult r = run({video, "--output", name});
    EXPECT_EQ(r.status, 0) << r.error;
    EXPECT_TRUE(fs::is_symlink(name));
    EXPECT_EQ(lines_of(test::read_file(to)).size(), 1U);
  }
  struct stat status = {};
  ASSERT_EQ(::stat(target.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0640U);
  folder_.write("other", "x");
  fs::create_hard_link(file("other"), file("other_name"));
  expect_refused({video, "--output", file("other")}, "2 names");
}

TEST_F(InferOutput, WritesToDevicesAndPipesInsteadOfReplacingThem) {
  const std::string null = test::null_device(folder_), link = test::standard_output_link(folder_);
  if (!null.empty()) {
    EXPECT_EQ(run({video, "--output", null}).status, 0);
    EXPECT_TRUE(fs::is_character_file(null));
    expect_refused({video, "--save-tensors", null}, "not a regular file");
  }
  for (const std::string& name : {link, std::string("/dev/fd/1"), std::string("/proc/self/fd/1")}) {
    const ProgramResult r = run({video, "--output", name});
    EXPECT_EQ(r.status, 0) << r.error;
    EXPECT_EQ(lines_of(r.out).size(), 1U) << name;
  }
  EXPECT_TRUE(fs::is_symlink(link));
  const std::string log = folder_.write("log", "before\n");
  EXPECT_EQ(run({video, "--output", link}, {.standard_output = log}).status, 0);
  EXPECT_TRUE(test::read_file(log).starts_with("before\n{\"input\""));

  ASSERT_EQ(::mkfifo(file("fifo").c_str(), 0600), 0);
  std::string received;
  std::jthread reader([&] { received = test::read_file(file("fifo")); });
  EXPECT_EQ(run({video, "--output", file("fifo")}).status, 0);
  reader.join();
  EXPECT_EQ(lines_of(received).size(), 1U);
  EXPECT_TRUE(fs::is_fifo(file("fifo")));

  expect_refused({video, "--save-tensors", link}, "not a regular file");
}

TEST_F(InferOutput, SaysWhenNothingCanBeWritten) {
  const std::string full = test::full_device(folder_);
  std::vector<std::vector<std::string>> commands{{video}, {"--help"}, {"--version"}};
  if (!full.empty()) commands.push_back({video, "--output", full});
  for (const std::vector<std::string>& arguments : commands) {
    for (const char* out : {"/dev/full", "closed"}) {
      const ProgramResult r = run(arguments, {.standard_output = out});
      EXPECT_EQ(r.status, 3) << testing::PrintToString(arguments) << out << r.error;
      EXPECT_NE(r.error.find("cannot be written"), std::string::npos) << r.error;
      EXPECT_EQ(std::count(r.error.begin(), r.error.end(), '\n'), 1) << r.error;
    }
  }
  // A closed stream's number is not taken by the file that is written.
  EXPECT_EQ(run({video, "--output", file("x")}, {.standard_output = "closed"}).status, 0);
  EXPECT_EQ(lines_of(test::read_file(file("x"))).size(), 1U);
}

TEST_F(InferOutput, ReplacesOldResultsAlsoByNone) {
  const std::string results = folder_.write("results", "old\n");
  EXPECT_EQ(run({"/nonexistent", "--format", "text", "--output", results}).status, 1);
  EXPECT_EQ(test::read_file(results), "");
  EXPECT_EQ(run({"-", "--output", file("of_no_inputs")}, {.input = ""}).status, 0);
  EXPECT_EQ(test::read_file(file("of_no_inputs")), "");
  EXPECT_EQ(folder_.entry_count(), 2);
}

/// A list that takes a while.
std::string long_list() {
  std::string list;
  for (int i = 0; i < 3000; ++i) list += video + "\n";
  return list;
}

TEST_F(InferOutput, KeepsWhatIsFinishedWhenASignalEndsIt) {
  const std::string results = file("results");
  for (const auto& [signal, status] :
       {std::pair(SIGINT, 130), std::pair(SIGTERM, 143), std::pair(SIGHUP, 129)}) {
    fs::remove(results);
    const auto interrupt = [&, number = signal](pid_t program) {
      using namespace std::chrono_literals;
      for (int i = 0; i < 3000 && (!fs::exists(results) || fs::file_size(results) < 1000); ++i) {
        std::this_thread::sleep_for(10ms);
      }
      ::kill(program, number);
    };
    const ProgramResult r = run({"-", "--output", results}, {.input = long_list(), .meanwhile = interrupt});
    EXPECT_EQ(r.status, status);
    EXPECT_NE(r.error.find("interrupted by SIG"), std::string::npos) << r.error;
    const std::vector<json> lines = lines_of(test::read_file(results));
    EXPECT_GE(lines.size(), 2U);
    EXPECT_LT(lines.size(), 3000U);
    EXPECT_NE(r.error.find(std::to_string(lines.size()) + " of 3000 inputs"), std::string::npos) << r.error;
    EXPECT_EQ(folder_.entry_count(), 1);
  }
}

TEST_F(InferOutput, LeavesNothingWhenASignalComesBeforeTheFirstResult) {
  folder_.write("results", "old");
  const auto interrupt = [&](pid_t program) {
    using namespace std::chrono_literals;
    for (int i = 0; i < 3000 && folder_.entry_count() < 2; ++i) std::this_thread::sleep_for(10ms);
    ::kill(program, SIGTERM);
  };
  // So many views take seconds.
  const ProgramResult r =
      run({video, "--views", "1000x3", "--output", file("results")}, {.meanwhile = interrupt});
  EXPECT_EQ(r.status, 143);
  EXPECT_NE(r.error.find("0 of 1 input was finished"), std::string::npos) << r.error;
  EXPECT_EQ(test::read_file(file("results")), "old");
  EXPECT_EQ(folder_.entry_count(), 1);
}

TEST_F(InferOutput, Resumes) {
  const std::string a = copy("a.mp4"), b = copy("b.mp4"), results = file("results");
  const std::vector<std::string> all{a, "/nonexistent", b, a, "--output", results, "--resume"};
  EXPECT_EQ(run({a, "/nonexistent", "--output", results}).status, 1);
  const std::string before = test::read_file(results);
  std::ofstream(results, std::ios::app) << R"({"input":"torn)";
  const ProgramResult r = run(all);
  EXPECT_EQ(r.status, 1);  // of the failure before
  EXPECT_NE(r.error.find("2 of 4 inputs"), std::string::npos) << r.error;
  EXPECT_NE(r.error.find("no end"), std::string::npos) << r.error;
  const std::string text = test::read_file(results);
  EXPECT_TRUE(text.starts_with(before));
  const std::vector<json> lines = lines_of(text);
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines[2].at("input"), b);
  EXPECT_EQ(lines[3].at("input"), a);
  EXPECT_EQ(lines[3].at("top"), lines[0].at("top"));
  EXPECT_EQ(run(all).status, 1);  // nothing is left to do
  EXPECT_EQ(test::read_file(results), text);

  expect_refused({a, "--output", results, "--resume", "--scores"}, "other options");
  expect_refused({a, "--output", results, "--resume", "--format", "text"}, "--format json");
  expect_refused({a, "--resume"}, "--output");
  expect_refused({a, "--output", folder_.write("notes", "my notes\n"), "--resume"}, "line 1");
  EXPECT_EQ(test::read_file(file("notes")), "my notes\n");
  EXPECT_EQ(test::read_file(results), text);

  EXPECT_EQ(run({a, "--output", file("new"), "--resume"}).status, 0);  // not begun yet
  EXPECT_EQ(lines_of(test::read_file(file("new"))).size(), 1U);
}

TEST_F(InferOutput, RefusesNonsenseNumbers) {
  for (const char* option :
       {"--top", "--threads", "--batch", "--max-pixels", "--max-frames", "--max-duration", "--devices"}) {
    for (const char* number :
         {"-1", "2147483648", "99999999999999999999", "0x10", "1e99", "nan", "", "2.5.1", " 1"}) {
      const ProgramResult r = run({video, option, number});
      EXPECT_EQ(r.status, 2) << option << " '" << number << "' " << r.error;
      EXPECT_NE(r.error.find("between "), std::string::npos) << option << " '" << number << "' " << r.error;
    }
  }
  expect_refused({video, "--top", "0"}, "between 1 and ");
  expect_refused({video, "--top", "6"}, "between 1 and 5");
  for (const char* threads : {"65536", "2147483647"})
    expect_refused({video, "--threads", threads}, "between 0 and ");
  expect_refused({video, "--views", "2147483647x1"}, "between 1 and 1000");
  expect_refused({video, "--views", "1x2147483648"}, "CLIPSxCROPS");
  expect_refused({video, "--views", "0x1"}, "CLIPSxCROPS");
  expect_refused({video, "--top", "010"}, "but is 10.");  // not eight
  EXPECT_EQ(run({video, "--top", "005"}).status, 0);
}

TEST_F(InferOutput, SaysSoWhereMemoryIsShort) {
#ifdef TPN_SANITIZED
  GTEST_SKIP() << "Sanitizers need terabytes of address space.";
#endif
  for (const rlim_t mebibytes : {300, 400, 500, 700, 1000}) {
    const ProgramResult r = run({video, "--threads", "2"}, {.address_space = mebibytes << 20U});
    EXPECT_TRUE(r.status >= 0 && r.status <= 3) << mebibytes << " MiB: " << r.status << r.error;
    EXPECT_EQ(r.status == 0, r.error.empty()) << mebibytes << r.error;
    EXPECT_LE(std::count(r.error.begin(), r.error.end(), '\n'), 1) << r.error;
  }
}

}  // namespace
}  // namespace tpn
