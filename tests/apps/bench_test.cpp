// The program tpn_bench, as its users run it.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/support/devices.h"
#include "tests/support/run_program.h"

namespace tpn {
namespace {

using test::ProgramResult;

ProgramResult bench(const std::vector<std::string>& arguments, const test::ProgramSetting& setting = {}) {
  std::vector<std::string> all{"--config", TPN_BENCH_CONFIG, "--threads", "1", "--peak-seconds", "0"};
  for (const auto& [option, value] :
       {std::pair("--runs", "1"), std::pair("--min-time", "0"), std::pair("--size", "32")}) {
    if (std::ranges::count(arguments, option) == 0) all.insert(all.end(), {option, value});
  }
  all.insert(all.end(), arguments.begin(), arguments.end());
  return test::run_program(TPN_BENCH, all, setting);
}

TEST(Bench, WritesItsReport) {
  const test::TemporaryDirectory folder;
  const std::string json = folder / "report.json";
  const ProgramResult r = bench({"--json", json});
  EXPECT_EQ(r.status, 0) << r.error;
  EXPECT_NE(r.out, "");
  EXPECT_TRUE(test::read_file(json).starts_with("{"));
  const std::string link = test::standard_output_link(folder);
  EXPECT_EQ(bench({"--json", link}).status, 0);
  EXPECT_TRUE(std::filesystem::is_symlink(link));
}

TEST(Bench, SaysWhatCannotBeWritten) {
  const test::TemporaryDirectory folder;
  const std::string full = test::full_device(folder);
  if (!full.empty()) {
    EXPECT_EQ(bench({"--json", full}).status, 3);
  }
  EXPECT_EQ(bench({}, {.standard_output = "/dev/full"}).status, 3);
  EXPECT_EQ(bench({"--help"}, {.standard_output = "/dev/full"}).status, 3);
  EXPECT_EQ(bench({"--json", "/nonexistent/report"}).status, 3);
  const ProgramResult itself = bench({"--json", TPN_BENCH_CONFIG});
  EXPECT_EQ(itself.status, 2);
  EXPECT_NE(itself.error.find("the configuration itself"), std::string::npos) << itself.error;
}

TEST(Bench, RefusesNonsenseNumbers) {
  for (const char* option : {"--batch", "--size", "--frames", "--warmup"}) {
    for (const char* number : {"-1", "2147483648", "x", "0x10", ""}) {
      const ProgramResult r = bench({option, number});
      EXPECT_EQ(r.status, 2) << option << " '" << number << "' " << r.error;
    }
  }
}

TEST(Bench, LeavesNoModelWhenASignalEndsIt) {
  const test::TemporaryDirectory folder;
  const auto interrupt = [&](pid_t program) {
    for (int i = 0; i < 3000 && folder.entry_count() == 0; ++i) ::usleep(10000);
    ::kill(program, SIGINT);
  };
  const ProgramResult r = bench(
      {"--runs", "1000000"}, {.environment = {"TMPDIR=" + folder.path().string()}, .meanwhile = interrupt});
  EXPECT_EQ(r.status, 130) << r.error;
  EXPECT_EQ(folder.entry_count(), 0);
}

}  // namespace
}  // namespace tpn
