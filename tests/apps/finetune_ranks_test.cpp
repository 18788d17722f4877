// The program tpn_finetune as several processes, which mpirun starts.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "engine/finetuning/run_log.h"
#include "tests/apps/finetune_files.h"
#include "tests/parallel/exchange_checks.h"
#include "tests/support/run_program.h"

namespace tpn {
namespace {

namespace fs = std::filesystem;
using test::ProgramResult;
using test::read_file;

class FinetuneRanks : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(TPN_MPIRUN))
      GTEST_SKIP() << "There is no mpirun: libopenmpi-dev and openmpi-bin have it.";
  }

  [[nodiscard]] std::string path(const std::string& name) const { return files_.path(name); }

  [[nodiscard]] ProgramResult run(int ranks, std::vector<std::string> arguments,
                                  test::ProgramSetting setting = {}) const {
    for (std::string& variable : test::mpirun_environment())
      setting.environment.push_back(std::move(variable));
    setting.environment.push_back("TPN_CACHE_DIR=" + path("cache"));
    arguments.insert(arguments.begin(), {"-n", std::to_string(ranks), TPN_FINETUNE});
    return test::run_program(TPN_MPIRUN, std::move(arguments), setting);
  }
  [[nodiscard]] ProgramResult train(int ranks, const std::string& work,
                                    const std::vector<std::string>& more = {},
                                    const test::ProgramSetting& setting = {}) const {
    return run(ranks,
               files_.arguments(work, {{"--workers", "1"}, {"--batch", "2"}, {"--freeze", "none"}}, more),
               setting);
  }
  [[nodiscard]] ProgramResult resume(int ranks, const std::string& work) const {
    return run(ranks, {"--resume", "--work-dir", path(work)});
  }

  test::FinetuneFiles files_{6};
};

/// Processes of this machine that run that work folder's training, by their rank.
std::vector<pid_t> ranks_of(const std::string& work) {
  std::vector<std::pair<std::string, pid_t>> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (!std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; })) continue;
    const auto bytes = [&](const char* file) {
      std::ifstream stream(entry.path() / file, std::ios::binary);
      return std::string{std::istreambuf_iterator<char>(stream), {}};
    };
    const std::string command = bytes("cmdline"), environment = bytes("environ");
    if (!command.starts_with(TPN_FINETUNE) || command.find(work) == std::string::npos) continue;
    const std::string variable = "OMPI_COMM_WORLD_RANK=";
    const std::size_t at = environment.find(variable);
    if (at != std::string::npos)
      found.emplace_back(environment.substr(at + variable.size(), 1), std::stoi(name));
  }
  std::ranges::sort(found);
  std::vector<pid_t> ranks;
  ranks.reserve(found.size());
  for (const auto& [rank, process] : found) ranks.push_back(process);
  return ranks;
}

/// Thirteen clips: an update of two batches of two clips of each, and one of what is left.
TEST_F(FinetuneRanks, TrainTogether) {
  test::write_moving_clip(path("train/down/more"), false, 5);
  const ProgramResult r = train(2, "run", {"--accumulate", "2", "--bn", "eval"});
  ASSERT_EQ(r.status, 0) << r.error;
  EXPECT_NE(r.out.find("2 epochs of 2 steps of 8 clips, 2 batches, 2 processes\n"), std::string::npos)
      << r.out;
  EXPECT_EQ(r.out.find("epoch 2/2  loss "), r.out.rfind("epoch 2/2  loss "))
      << "more than one process reports";
  for (const char* file :
       {"model.safetensors", "model.pth", "report.html", "recipe.json", "last.safetensors"}) {
    EXPECT_TRUE(fs::exists(path("run") + "/" + file)) << file;
  }
  const std::vector<StepRecord> steps = read_steps(path("run/log.jsonl"));
  ASSERT_EQ(steps.size(), 4U);
  EXPECT_EQ(steps[0].clips, 8);
  EXPECT_EQ(steps[1].clips, 13);

  const ProgramResult other = run(1, {"--resume", "--work-dir", path("run")});
  EXPECT_EQ(other.status, 2) << other.error;
  EXPECT_NE(other.error.find("start it by mpirun -n 2"), std::string::npos) << other.error;
}

/// The same clips, the same gradients: whatever the number of processes.
TEST_F(FinetuneRanks, GiveWhatOneProcessGives) {
  const std::vector<std::string> same{"--augment", "none",      "--dropout", "0",   "--shuffle",
                                      "off",       "--sync-bn", "--lr",      "0.01"};
  std::vector<std::string> alone = same;
  for (const char* more : {"--batch", "4"}) alone.emplace_back(more);
  ASSERT_EQ(train(1, "alone", alone).status, 0);
  const ProgramResult r = train(2, "together", same);
  ASSERT_EQ(r.status, 0) << r.error;
  const auto one = read_steps(path("alone/log.jsonl")), both = read_steps(path("together/log.jsonl"));
  ASSERT_EQ(one.size(), both.size());
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_NEAR(both[i].loss, one[i].loss, 2e-3) << i;
    EXPECT_NEAR(both[i].gradient_norm / one[i].gradient_norm, 1, 2e-2) << i;
  }
}

TEST_F(FinetuneRanks, ShareTheWorkOfFeatures) {
  const ProgramResult r = train(2, "run", {"--freeze", "neck", "--augment", "light"});
  ASSERT_EQ(r.status, 0) << r.error;
  std::size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(path("cache")))
    files += entry.is_regular_file() ? 1 : 0;
  EXPECT_EQ(files, 16U);
}

/// Also when one of them alone is interrupted.
TEST_F(FinetuneRanks, GoOnBitForBit) {
  const std::vector<std::string> options{"--epochs", "3", "--ema", "0.9"};
  ASSERT_EQ(train(2, "whole", options).status, 0);
  for (const std::size_t first : {0U, 1U}) {
    const std::string work = "parts" + std::to_string(first);
    SCOPED_TRACE(work);
    const auto interrupt = [&](pid_t) {
      files_.await_step(work);
      const std::vector<pid_t> ranks = ranks_of(path(work));
      for (std::size_t rank = first; rank < ranks.size(); ++rank) ::kill(ranks[rank], SIGTERM);
    };
    const ProgramResult r = train(2, work, options, {.meanwhile = interrupt});
    EXPECT_NE(r.status, 0) << r.error;
    EXPECT_NE(r.error.find("the run is saved after step "), std::string::npos) << r.error;
    const ProgramResult rest = resume(2, work);
    ASSERT_EQ(rest.status, 0) << rest.error;
    for (const char* file : {"/model.safetensors", "/last.safetensors"})
      EXPECT_TRUE(read_file(path("whole") + file) == read_file(path(work) + file)) << file;
  }
}

TEST_F(FinetuneRanks, EndWhenOneIsKilled) {
  for (const std::size_t rank : {1U, 0U}) {
    const std::string work = "killed" + std::to_string(rank);
    std::chrono::steady_clock::time_point killed;
    const auto kill = [&](pid_t) {
      files_.await_step(work);
      const std::vector<pid_t> ranks = ranks_of(path(work));
      ASSERT_EQ(ranks.size(), 2U);
      ::kill(ranks[rank], SIGKILL);
      killed = std::chrono::steady_clock::now();
    };
    const ProgramResult r = train(2, work, {"--epochs", "1000"}, {.meanwhile = kill});
    EXPECT_LT(std::chrono::steady_clock::now() - killed, std::chrono::seconds(30));
    EXPECT_NE(r.status, 0);
    EXPECT_NE(r.error.find("process rank " + std::to_string(rank)), std::string::npos) << r.error;
    EXPECT_TRUE(ranks_of(path(work)).empty());
  }
}

/// A clip that one rank cannot load any more.
TEST_F(FinetuneRanks, EndWhenOneFails) {
  const auto damage = [&](pid_t) {
    files_.await_step("run");
    for (const auto& entry : fs::directory_iterator(path("train/right/clip5"))) {
      std::ofstream(entry.path(), std::ios::binary) << "no image";
    }
  };
  // Without a shuffle rank 1 has the last clip in every epoch.
  const ProgramResult r =
      train(2, "run", {"--shuffle", "off", "--epochs", "1000", "--cache-mb", "0"}, {.meanwhile = damage});
  EXPECT_EQ(r.status, 1) << r.error;
  EXPECT_NE(r.error.find("tpn_finetune: rank 1: "), std::string::npos) << r.error;
  EXPECT_NE(r.error.find("clip5"), std::string::npos) << r.error;
  EXPECT_NE(
      r.error.find("tpn_finetune: rank 0: Rank 1 of 2 has failed, and this one cannot go on without it: "),
      std::string::npos)
      << r.error;
}

TEST_F(FinetuneRanks, EndWhenThereIsNothingToBegin) {
  const ProgramResult r = train(2, "run", {"--train", path("missing")});
  EXPECT_EQ(r.status, 2) << r.error;
  EXPECT_NE(r.error.find("tpn_finetune: rank 0: "), std::string::npos) << r.error;
  EXPECT_NE(r.error.find("rank 1: Rank 0 of 2 has failed"), std::string::npos) << r.error;
  const ProgramResult dry = train(2, "run", {"--dry-run"});
  EXPECT_EQ(dry.status, 0) << dry.error;
  EXPECT_NE(dry.out.find("Memory of a step: "), std::string::npos) << dry.out;
}

}  // namespace
}  // namespace tpn
