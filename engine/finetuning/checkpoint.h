// The files of a run: models, and checkpoints, which are model files from which the run can go on.
//
// A checkpoint's parameters and buffers are those that are learned from; beside them it has "momentum/NAME",
// with an average of the weights "average/NAME", and the metadata "tpn.run" (run_state.h). Whoever reads it
// as a model finds a model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/finetuning/run_state.h"
#include "engine/model/config.h"
#include "engine/model/weights.h"
#include "engine/networks/network.h"
#include "engine/train/trainer.h"

namespace tpn {

/// What becomes of the classifiers when training starts.
struct ClassifierChange {
  Config config;                    ///< of the model with its new number of classes
  std::vector<std::string> labels;  ///< of the new classes; may be empty
  bool resized = false;  ///< the classifiers begin anew, but for rows of classes that the model knows
  int kept_rows = 0;     ///< of such classes
};

/// What a run's weights come from.
struct InitialWeights {
  std::shared_ptr<const Weights> model;           ///< tells the architecture
  std::shared_ptr<const Weights> preferred = {};  ///< where it has a parameter in the model's shape; or null

  /// The file that a parameter is taken from, which may lack it.
  [[nodiscard]] const Weights& of(const ParameterSpec& spec) const;
  /// The file whose classifiers' rows are taken where there are other classes than before.
  [[nodiscard]] const Weights& of_classes() const;
};

/// classes: how many there have to be; labels: their names, or empty. Without names, and with no more classes
/// than the model has, the model keeps its own.
ClassifierChange change_of_classifier(const InitialWeights& initial, std::int64_t classes,
                                      const std::vector<std::string>& labels);

/// Writes the checkpoint that a run starts with: those weights, or random ones (start::scratch); what of the
/// classifiers begins anew is random by the recipe's seed; what the files lack of the auxiliary head too.
/// Throws Error naming a missing parameter, and OutputError.
void write_first_checkpoint(const InitialWeights& initial, const ClassifierChange& change,
                            const RunState& state, const std::filesystem::path& path);

/// Writes where a run is. start: the checkpoint that `trainer` started from, which has what it does not hold.
/// Not even a crash of the system loses the file once this returns. Throws OutputError; an older file at
/// `path` stays then.
void write_checkpoint(const Weights& start, const Trainer& trainer, const RunState& state,
                      const std::filesystem::path& path);

/// The same as a plain model: the average of the weights where there is one, nothing of the run.
void write_model(const Weights& start, const Trainer& trainer, const std::filesystem::path& path);
/// Of a parameter that is trained, as that model has it. Throws Error as ParameterStore::read does.
std::vector<float> learned_values(const Trainer& trainer, const std::string& parameter, const Shape& shape);

/// The state in a checkpoint; throws Error naming it when it is none.
RunState run_state_of(const Weights& checkpoint, const std::string& name);

/// Gives a trainer that was made from a checkpoint its momentum, averages and number of steps.
void restore(const Weights& checkpoint, const RunState& state, Trainer& trainer);

}  // namespace tpn
