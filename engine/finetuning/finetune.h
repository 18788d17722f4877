// Fine-tuning: trains a model on clips, validates it, and keeps what is needed to go on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/finetuning/checkpoint.h"
#include "engine/finetuning/finetune_data.h"
#include "engine/finetuning/recipe.h"
#include "engine/finetuning/run_state.h"
#include "engine/finetuning/score.h"
#include "engine/finetuning/work_folder.h"
#include "engine/parallel/communicator.h"
#include "engine/recognize/tpn.h"
#include "kernels/backend.h"

namespace tpn {

/// Whom a run tells what, and whom it asks. All are called on the thread that runs it.
struct FinetuneObserver {
  std::function<void(const std::string& sentence)> note = [](const std::string&) {};
  std::function<void(const std::string& text)> progress = [](const std::string&) {};
  std::function<void(const StepRecord& step, std::int64_t clips)> step = [](const StepRecord&, std::int64_t) {
  };
  std::function<void(const EpochRecord& epoch)> epoch = [](const EpochRecord&) {};
  std::function<bool()> stop = [] { return false; };  ///< whether to save and end
};

/// What a run is made of besides its recipe.
struct FinetuneSetup {
  std::filesystem::path
      model;  ///< the recipe's model, converted where that is a checkpoint of another project
  std::optional<std::filesystem::path> initial = {};  ///< the same of the file that the recipe begins with
  std::shared_ptr<const Backend> backend;
  RecognizerOptions recognizer = {};  ///< the same device, for clips to judge by
  int workers = 1;                    ///< threads that decode
  std::optional<std::filesystem::path> feature_cache;
  std::shared_ptr<Communicator> communicator = nullptr;  ///< with the other processes; null: there are none
  std::shared_ptr<Collectives> collectives = nullptr;    ///< of their devices; null: these know no others

  [[nodiscard]] int ranks() const { return communicator ? communicator->size() : 1; }
  /// Whether this process writes, validates and reports.
  [[nodiscard]] bool leads() const { return !communicator || communicator->rank() == 0; }
};

/// What a run would be.
struct FinetunePlan {
  Recipe recipe;                    ///< resolved
  std::vector<std::string> advice;  ///< sentences
  ClassifierChange classifier;
  std::int64_t initial_parameters = 0;  ///< that are taken from the file that the recipe begins with
  std::vector<std::int64_t> train_clips, validation_clips;  ///< by class
  int validation_views = 0;                                 ///< of a clip
  std::int64_t steps_per_epoch = 0;
  std::int64_t parameters = 0, learned_parameters = 0;
  std::size_t step_memory = 0;    ///< bytes: activations and workspace of a step
  std::size_t weight_memory = 0;  ///< bytes: parameters, momentum, averages, statistics
  double step_seconds = 0;        ///< of a step with clips of zeros; 0: not measured
};

/// How a run ended.
struct FinetuneOutcome {
  enum class End { finished, early, stopped };
  End end = End::finished;
  RunState state;
  std::optional<Validation> best;  ///< of the model that was kept
};

/// The recipe as the setup's processes follow it. Throws OptionError when it is for another number of them,
/// or their device cannot do what it asks for.
Recipe for_processes(Recipe recipe, const FinetuneSetup& setup);

/// Tells what finetune() would do with checked data; `measure`: runs a step to tell how long it takes. Throws
/// as for_processes() does.
FinetunePlan plan_finetune(const Recipe& recipe, const FinetuneData& data, const FinetuneSetup& setup,
                           bool measure);

/// Begins a run in a folder without one: writes last.safetensors and recipe.json there. Throws OptionError
/// when there is a run already.
void begin_finetune(const FinetunePlan& plan, const FinetuneData& data, const FinetuneSetup& setup,
                    const WorkFolder& folder);

/// The recipe of the run in a folder; throws OptionError when there is none.
Recipe recipe_of_run(const WorkFolder& folder);

/// Goes on with the run in a folder, new or not, to its end. data: checked, the same as when it began. A run
/// that was ended at any moment and goes on gives the same bits as one that was not. Throws Error: when the
/// data is other data; when a clip cannot be loaded, naming it; when a loss is not finite, naming step, clips
/// and tensor; and OutputError. What was reached by the last checkpoint is never lost. All processes of a run
/// call it, with a folder that all see; what it throws in one of them they are to be told
/// (Communicator::fail). The outcome of those that do not lead has no validation.
FinetuneOutcome finetune(const FinetuneData& data, const FinetuneSetup& setup, const WorkFolder& folder,
                         const FinetuneObserver& observer);

}  // namespace tpn
