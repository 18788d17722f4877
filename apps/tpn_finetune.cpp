// Trains a model on clips and labels of one's own.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <unistd.h>

#include "apps/finetune_options.h"
#include "apps/model_argument.h"
#include "apps/program.h"
#include "apps/terminal_line.h"
#include "engine/devices/device.h"
#include "engine/finetuning/finetune.h"
#include "engine/finetuning/run_report.h"
#include "engine/model/cache_folder.h"
#include "engine/model/output_target.h"
#include "engine/parallel/launch.h"
#include "engine/report/html_report.h"
#include "engine/report/html_text.h"
#include "kernels/cpu/processors.h"
#include "kernels/error.h"
#include "kernels/precision_info.h"
#include "kernels/stopwatch.h"
#include "weights_converter/to_pth.h"

namespace tpn::app {
namespace {

constexpr const char* footer = R"(
Lists: lines of PATH LABEL; FOLDER FRAMES LABEL for raw frames; CSV with or without a heading; Something-Something's
JSON; or a folder with one folder a class. Labels are numbers from 0, or names.

In the work folder: model.safetensors, the best so far, which tpn_infer reads; model.pth, which mmaction2 loads;
report.html; recipe.json, from which the run can be repeated; log.jsonl and TensorBoard's events; last.safetensors, from
which --resume goes on.

Exit status: 0; 1 a clip cannot be loaded or training fails; 2 the options, lists or models cannot be used, and nothing
was done; )";

constexpr const char* examples = R"(

Examples:
  tpn_finetune --model tpn-slowonly-r50-8x8.safetensors --train clips/train --val clips/val --work-dir run1
  tpn_finetune --model m.pth --train train.txt --val val.txt --root frames --filename-template 'img_{:05}.jpg' \
    --work-dir run2 --freeze none --precision bf16 --device cuda --epochs 50 --batch 32
  tpn_finetune --resume run2
  mpirun -n 2 --bind-to none tpn_finetune --model m.safetensors --train train.txt --val val.txt --work-dir run3)";

std::string percent(double share) {
  return fixed(100 * share, 1) + " %";
}

std::string megabytes(std::size_t bytes) {
  return fixed(static_cast<double>(bytes) / 1e6, 0) + " MB";
}

/// The status of a process that ends since another one was interrupted.
constexpr int interrupted = signalled + SIGTERM;

/// What a signal asks for: the run saves itself, and the signal's thread waits for that.
class StopRequest {
 public:
  [[nodiscard]] bool asked() const { return asked_; }
  /// The run has ended. Of several processes none leaves before all have said what there is to say: the first
  /// one that leaves with another status than 0 makes mpirun end the others. others: null for none.
  void ended(std::string sentence, Communicator* others = nullptr) {
    std::unique_lock lock(mutex_);
    sentence_ = std::move(sentence);
    phase_ = Phase::ended;
    changed_.notify_all();
    if (others != nullptr) {
      if (asked_) await(lock, Phase::said);
      try {
        others->barrier();
      } catch (const RankFailure&) {  // one that has failed is gone
      }
    }
    phase_ = Phase::left;
    changed_.notify_all();
  }
  /// Called by the signal's thread; returns when the run has ended.
  std::string ask() {
    asked_ = true;
    std::unique_lock lock(mutex_);
    await(lock, Phase::ended);
    return sentence_;
  }
  /// Called by the signal's thread when that has been said; returns when the process may leave.
  void said() {
    std::unique_lock lock(mutex_);
    if (phase_ == Phase::running) return;  // it was waited for long enough
    phase_ = std::max(phase_, Phase::said);
    changed_.notify_all();
    await(lock, Phase::left);
  }

 private:
  enum class Phase : std::uint8_t { running, ended, said, left };

  void await(std::unique_lock<std::mutex>& lock, Phase phase) {
    constexpr std::chrono::seconds patience{300};
    changed_.wait_for(lock, patience, [&] { return phase_ >= phase; });
  }

  std::atomic<bool> asked_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string sentence_;
  Phase phase_ = Phase::running;
};

/// Prints what happens.
class Console {
 public:
  void say(const std::string& sentence) {
    line_.clear();
    app::say(sentence);
  }
  void print(const std::string& text) {
    line_.clear();
    app::print(text);
  }
  void progress(const std::string& text) { line_.show(text); }
  void clear() { line_.clear(); }

  void step(const StepRecord& step, std::int64_t clips) {
    if (shown_.seconds() < 0.2 && step.clips < clips) return;
    shown_ = Stopwatch();
    line_.show("epoch " + std::to_string(step.epoch) + ": " + std::to_string(step.clips) + "/" +
               std::to_string(clips) + " clips  loss " + fixed(step.loss, 4) + "  " + fixed(step.seconds, 2) +
               " s a step, " + percent(step.data_seconds / std::max(step.seconds, 1e-9)) +
               " of it waiting for clips");
  }
  void epoch(const EpochRecord& epoch, int epochs) {
    std::string text = "epoch " + std::to_string(epoch.epoch) + "/" + std::to_string(epochs) + "  loss " +
                       fixed(epoch.loss, 4) + "  top-1 " + percent(epoch.top1);
    if (epoch.validated) {
      text += "  |  validation loss " + fixed(epoch.validation.loss, 4) + "  top-1 " +
              percent(epoch.validation.top1) + "  top-5 " + percent(epoch.validation.top5) +
              "  mean of classes " + percent(epoch.validation.mean_class);
    }
    print(text + "  (" + fixed(epoch_.seconds(), 1) + " s)\n");
    epoch_ = Stopwatch();
  }

 private:
  TerminalLine line_;
  Stopwatch shown_, epoch_;
};

std::string describe(const FinetunePlan& plan, const FinetuneData& data) {
  const Recipe& r = plan.recipe;
  std::string text = std::to_string(data.train.samples.size()) + " clips to learn from, ";
  text += data.validation ? std::to_string(data.validation->samples.size()) + " to judge by" +
                                (plan.validation_views == 1
                                     ? ""
                                     : " (" + std::to_string(plan.validation_views) + " views of each)") +
                                ", "
                          : "none to judge by, ";
  text += std::to_string(plan.train_clips.size()) + " classes\n";
  if (plan.classifier.resized) {
    text += "The classifier begins anew: these are other classes than the model's";
    if (plan.classifier.kept_rows > 0)
      text += "; it keeps what it knows of " + std::to_string(plan.classifier.kept_rows) + " of them";
    text += ".\n";
  }
  if (plan.initial_parameters > 0) {
    text += std::to_string(plan.initial_parameters) + " of " + std::to_string(plan.parameters) +
            " parameters begin as in " + r.init + ", the others as in " + r.model + "\n";
  }
  text += "Learned: " + std::to_string(plan.learned_parameters) + " of " + std::to_string(plan.parameters) +
          " parameters (--freeze " + recipe_name(r.freeze) + "), --augment " + recipe_name(r.augment) +
          (r.crop_area == automatic_number ? "" : " --crop-area " + CLI::detail::to_string(r.crop_area)) +
          ", --lr " + CLI::detail::to_string(r.lr) + "\n";
  text += std::to_string(r.epochs) + " epochs of " + std::to_string(plan.steps_per_epoch) + " steps of " +
          std::to_string(update_clips(r)) + " clips";
  if (r.accumulate > 1) text += ", " + std::to_string(r.accumulate) + " batches";
  if (r.ranks > 1) text += ", " + std::to_string(r.ranks) + " processes";
  text += "\n";
  return text;
}

std::string describe_classes(const FinetunePlan& plan) {
  std::string text = "\nclips  to judge by  class\n";
  for (std::size_t k = 0; k < plan.train_clips.size(); ++k) {
    char numbers[64];
    (void)std::snprintf(numbers, sizeof numbers, "%5lld  %11lld  ",
                        static_cast<long long>(plan.train_clips[k]),
                        static_cast<long long>(plan.validation_clips.empty() ? 0 : plan.validation_clips[k]));
    text +=
        numbers + (k < plan.classifier.labels.size() ? plan.classifier.labels[k] : std::to_string(k)) + "\n";
  }
  text += "\nMemory of a step: " + megabytes(plan.step_memory) + ", and " + megabytes(plan.weight_memory) +
          " for parameters and momentum";
  if (plan.step_seconds > 0) {
    text += "\nTime of a step: " + fixed(plan.step_seconds, 2) +
            " s; of an epoch without decoding and validation: " +
            fixed(plan.step_seconds * static_cast<double>(plan.steps_per_epoch), 0) + " s";
  }
  return text + "\n";
}

/// Threads where nobody asks for a number: processes share the machine's processors.
int default_threads(const Communicator* processes) {
  if (processes == nullptr) return cpu::default_threads();
  const auto processors = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
  return std::clamp(processors / processes->local_size(), 1, cpu::default_threads());
}

/// The device of this process.
DeviceOptions device_of(const Recipe& recipe, const Communicator* processes) {
  DeviceOptions device = device_named(recipe.device);
  device.deterministic = recipe.deterministic;
  device.threads = recipe.threads == 0 && processes != nullptr ? default_threads(processes) : recipe.threads;
  const std::size_t local = processes == nullptr ? 0 : static_cast<std::size_t>(processes->local_rank()),
                    needed = processes == nullptr ? 1 : static_cast<std::size_t>(processes->local_size());
  if (recipe.devices.empty()) {
    if (processes != nullptr && recipe.device.find(':') == std::string::npos)
      device.number = static_cast<int>(local);
    return device;
  }
  if (processes == nullptr && recipe.devices.size() > 1) {
    const std::string count = std::to_string(recipe.devices.size());
    throw OptionError("--devices names " + count + " GPUs, and a process has one: start " + count +
                      " of them by mpirun -n " + count + " tpn_finetune ...");
  }
  if (recipe.devices.size() < needed) {
    throw OptionError("--devices names " + std::to_string(recipe.devices.size()) + " GPUs for " +
                      std::to_string(needed) + " processes on this machine.");
  }
  if (device.kind != DeviceKind::cuda) throw OptionError("--devices names GPUs, and none is used.");
  device.number = recipe.devices[local];
  return device;
}

RecognizerOptions recognizer_on(const DeviceOptions& device) {
  if (device.kind == DeviceKind::cpu) {
    return {.device = Device::cpu, .threads = device.deterministic ? 1 : device.threads};
  }
  return {.device = Device::cuda,
          .devices = {device.number},
          .libraries = device.deterministic ? Libraries::none : Libraries::automatic};
}

FinetuneSetup make_setup(const FinetuneArguments& a, const Recipe& recipe, const std::filesystem::path& model,
                         std::shared_ptr<Communicator> processes) {
  const DeviceOptions device = device_of(recipe, processes.get());
  FinetuneSetup setup{.model = model,
                      .backend = make_backend(device),
                      .recognizer = recognizer_on(device),
                      .workers = recipe.workers,
                      .feature_cache = {},
                      .communicator = std::move(processes)};
  if (setup.workers == 0) setup.workers = default_threads(setup.communicator.get());
  if (!supports(*setup.backend, recipe.precision)) {
    throw OptionError("The device " + recipe.device + " does not compute in " +
                      recipe_name(recipe.precision) + ".");
  }
  if (a.feature_cache.empty()) {
    if (const auto folder = cache_folder()) setup.feature_cache = *folder / "features";
  } else if (a.feature_cache != "none") {
    setup.feature_cache = a.feature_cache;
  }
  return setup;
}

/// Lets the devices of all processes exchange what they compute; all call it, at the same place of a run.
void join_others(const Recipe& recipe, FinetuneSetup& setup) {
  setup.collectives = join_devices(device_of(recipe, setup.communicator.get()), *setup.backend,
                                   device_rank(*setup.communicator));
}

/// The other processes, if there are any, find the run in its folder and come to where this one is.
void let_others_join(const Recipe& recipe, FinetuneSetup& setup) {
  if (!setup.communicator) return;
  setup.communicator->barrier();
  join_others(recipe, setup);
}

/// Trains to the end, or until a signal; the exit status.
int train(const FinetuneData& data, const FinetuneSetup& setup, const WorkFolder& folder,
          const std::vector<std::string>& advice, Console& console) {
  StopRequest request;
  const FinishAtInterrupt at_interrupt([&] { return request.ask(); }, [&] { request.said(); });
  FinetuneObserver observer;
  observer.note = [&](const std::string& sentence) { console.say(sentence); };
  observer.progress = [&](const std::string& text) { console.progress(text); };
  observer.step = [&](const StepRecord& step, std::int64_t clips) { console.step(step, clips); };
  const int epochs = recipe_of_run(folder).epochs;
  observer.epoch = [&](const EpochRecord& epoch) { console.epoch(epoch, epochs); };
  observer.stop = [&] { return request.asked(); };
  FinetuneOutcome outcome;
  try {
    outcome = finetune(data, setup, folder, observer);
  } catch (...) {
    console.clear();
    request.ended("");
    throw;
  }
  console.clear();
  if (outcome.end == FinetuneOutcome::End::stopped) {
    const std::string sentence = "the run is saved after step " + std::to_string(outcome.state.steps) +
                                 "; go on with it by --resume " + folder.path().string();
    if (!request.asked()) console.say("another process was interrupted; " + sentence + ".");
    request.ended(sentence, setup.communicator.get());
    return interrupted;  // after a signal to this process its thread ends the program before that
  }
  write_html_report(report_of_run(data, setup, folder, outcome, advice), folder.report());
  export_pth(folder.model(), folder.path() / "model.pth");
  std::string text;
  if (outcome.end == FinetuneOutcome::End::early) text += "It did not get better any more.\n";
  if (outcome.state.best_epoch > 0) {
    const EpochRecord& best =
        outcome.state.history.at(static_cast<std::size_t>(outcome.state.best_epoch - 1));
    text += "Best: epoch " + std::to_string(best.epoch) + ", top-1 " + percent(best.validation.top1) + "\n";
  }
  const std::string model = folder.model().string();
  text += "\nThe model:   " + model + "  (for mmaction2: " + (folder.path() / "model.pth").string() +
          ")\nThe report:  " + folder.report().string() + "\nTry it:      tpn_infer --model " + model +
          " VIDEO\n";
  console.print(text);
  request.ended("");
  return success;
}

/// What a process does that does not lead: it trains along, and says only what goes wrong.
int train_along(const FinetuneData& data, const FinetuneSetup& setup, const WorkFolder& folder) {
  StopRequest request;
  const FinishAtInterrupt at_interrupt([&] { return request.ask(); }, [&] { request.said(); });
  FinetuneObserver observer;
  observer.note = [](const std::string& sentence) { say(sentence); };
  observer.stop = [&] { return request.asked(); };
  FinetuneOutcome outcome;
  try {
    outcome = finetune(data, setup, folder, observer);
  } catch (...) {
    request.ended("");
    throw;
  }
  const bool stopped = outcome.end == FinetuneOutcome::End::stopped;
  request.ended("", stopped ? setup.communicator.get() : nullptr);
  return stopped ? interrupted : success;
}

FinetuneData checked_data(const Recipe& recipe, int workers, Console& console) {
  FinetuneData data = read_data(recipe);
  for (const std::string& sentence : data.warnings) console.say("warning: " + sentence);
  check_data(data, recipe, workers, [&](std::size_t done, std::size_t of) {
    console.progress("checking clips: " + std::to_string(done) + "/" + std::to_string(of));
  });
  console.clear();
  for (const std::string& sentence : data.skipped) console.say("left out: " + sentence);
  return data;
}

/// Does what comes before the first step: whatever is wrong with models and data then, nothing was done.
template <class Do>
auto before_training(const Do& action) {
  try {
    return action();
  } catch (const OutputError&) {
    throw;
  } catch (const OutOfMemory&) {
    throw;
  } catch (const Error& error) {
    throw OptionError(error.what());
  }
}

int resume(const FinetuneArguments& a, const std::shared_ptr<Communicator>& processes, Console& console) {
  if (!std::filesystem::exists(a.folder())) throw OptionError("There is no folder " + a.folder() + ".");
  const WorkFolder folder(a.folder());
  const Recipe recipe = before_training([&] { return recipe_of_run(folder); });
  auto [setup, data] = before_training([&] {
    FinetuneSetup its = make_setup(a, recipe, folder.last(), processes);
    (void)for_processes(recipe, its);
    FinetuneData checked = checked_data(recipe, its.workers, console);
    return std::pair(std::move(its), std::move(checked));
  });
  let_others_join(recipe, setup);
  return train(data, setup, folder, {}, console);
}

int begin(const FinetuneArguments& a, const std::shared_ptr<Communicator>& processes, Console& console) {
  const Recipe given = a.recipe();
  for (const auto& [value, option] : {std::pair(given.model, "--model"), std::pair(given.train, "--train")}) {
    if (value.empty()) throw OptionError(std::string(option) + " is missing. (--help explains.)");
  }
  if (!a.dry_run) (void)a.folder();
  std::optional<ModelArgument> model, initial;
  FinetuneSetup setup;
  FinetuneData data;
  const FinetunePlan plan = before_training([&] {
    setup = make_setup(a, given, model.emplace(given.model, say).path(), processes);
    if (given.init != start::model && given.init != start::scratch) {
      setup.initial = initial.emplace(given.init, say).path();
    }
    data = checked_data(given, setup.workers, console);
    return plan_finetune(given, data, setup, a.dry_run);
  });
  console.print(describe(plan, data));
  for (const std::string& sentence : plan.advice) console.say("warning: " + sentence);
  if (a.dry_run) {
    console.print(describe_classes(plan));
    return success;
  }
  const WorkFolder folder(a.folder());
  before_training([&] { begin_finetune(plan, data, setup, folder); });
  let_others_join(given, setup);
  return train(data, setup, folder, plan.advice, console);
}

/// Joins the run that rank 0 has begun, or goes on with: its recipe is in the folder.
int join(const FinetuneArguments& a, const std::shared_ptr<Communicator>& processes) {
  if (a.dry_run) return success;
  processes->barrier();
  const WorkFolder folder = WorkFolder::of_others(a.folder());
  const Recipe recipe = recipe_of_run(folder);
  FinetuneSetup setup = make_setup(a, recipe, folder.last(), processes);
  join_others(recipe, setup);
  FinetuneData data = read_data(recipe);
  // Rank 0 has found nothing wrong with it, or has left that out.
  if (recipe.skip_bad) check_data(data, recipe, setup.workers, [](std::size_t, std::size_t) {});
  return train_along(data, setup, folder);
}

int run(const FinetuneArguments& a, const std::shared_ptr<Communicator>& processes) {
  if (a.resume && (!a.given.empty() || !a.recipe_file.empty() || a.dry_run)) {
    throw OptionError("A run that goes on has its recipe: leave out " +
                      (a.given.empty() ? std::string("--recipe and --dry-run") : a.given.front()) + ".");
  }
  if (processes && processes->rank() > 0) return join(a, processes);
  Console console;
  return a.resume ? resume(a, processes, console) : begin(a, processes, console);
}

/// The same; the other processes are told what goes wrong here.
int run_and_tell(const FinetuneArguments& a, const std::shared_ptr<Communicator>& processes) try {
  return run(a, processes);
} catch (const RankFailure&) {
  throw;
} catch (const std::exception& error) {
  if (processes) processes->fail(error.what());
  throw;
}

}  // namespace
}  // namespace tpn::app

int main(int argc, char** argv) try {
  CLI::App app("Fine-tunes a TPN model on clips and labels of your own.", "tpn_finetune");
  app.set_version_flag("--version", "tpn_finetune " TPN_VERSION);
  app.footer(tpn::app::footer + std::string(tpn::app::common_exit_statuses) + tpn::app::examples);
  tpn::app::FinetuneArguments arguments;
  declare_options(app, arguments);
  const auto launch = tpn::launched_among_others();
  if (launch) app.name("tpn_finetune: rank " + std::to_string(launch->rank));
  std::shared_ptr<tpn::ProcessGroup> processes;
  const int status = tpn::app::run_program(app, argc, argv, tpn::app::input_failed, [&] {
    if (launch) processes = tpn::join_processes();
    return tpn::app::run_and_tell(arguments, processes);
  });
  if (processes && status != tpn::app::success) processes->abort(status);
  return status;
} catch (const std::exception& error) {
  return tpn::app::failed_to_start(error);
}
