// What tests of the program tpn_finetune work on: a tiny model and clips in a temporary folder.
#pragma once

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "engine/networks/initialize.h"
#include "tests/finetuning/moving_clips.h"
#include "tests/support/temporary_directory.h"

namespace tpn::test {

class FinetuneFiles {
 public:
  /// clips: to learn from, of each class.
  explicit FinetuneFiles(int clips) {
    write_random_model(moving_clips_config(), Initialization::from_scratch, 3, {},
                       folder_ / "model.safetensors");
    write_moving_clips(folder_.path() / "train", clips);
    write_moving_clips(folder_.path() / "val", 2, 7);
  }

  [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }
  std::string write(const std::string& name, const std::string& bytes) const {
    return folder_.write(name, bytes);
  }

  /// Waits until the run in that folder has done a step.
  void await_step(const std::string& work) const {
    using namespace std::chrono_literals;
    const std::string log = path(work + "/log.jsonl");
    for (int i = 0; i < 6000; ++i) {
      std::error_code missing;
      const auto bytes = std::filesystem::file_size(log, missing);
      if (!missing && bytes > 0) return;
      std::this_thread::sleep_for(5ms);
    }
  }

  /// Of a run in that folder: `more`, and of what else a run needs, and of `defaults`, the options that are
  /// not among them.
  [[nodiscard]] std::vector<std::string> arguments(const std::string& work,
                                                   std::vector<std::pair<std::string, std::string>> defaults,
                                                   const std::vector<std::string>& more) const {
    defaults.insert(defaults.begin(), {{"--model", path("model.safetensors")},
                                       {"--train", path("train")},
                                       {"--val", path("val")},
                                       {"--work-dir", path(work)},
                                       {"--device", "cpu"},
                                       {"--threads", "1"},
                                       {"--epochs", "2"}});
    std::vector<std::string> arguments;
    for (const auto& [option, value] : defaults) {
      if (std::ranges::count(more, option) == 0) arguments.insert(arguments.end(), {option, value});
    }
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

 private:
  TemporaryDirectory folder_;
};

}  // namespace tpn::test
