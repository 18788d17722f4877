// Everything that decides what a run of fine-tuning gives, and how it is written down.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/precision.h"

namespace tpn {

/// How much of the network keeps its weights, from its beginning on.
enum class Freeze : std::uint8_t { automatic, none, stem, layer1, layer2, layer3, layer4, backbone, neck };

/// What is done to clips before they are learned from (engine/data/augmentation.h).
enum class Augment : std::uint8_t { automatic, reference, light, none };

/// Which statistics batch norms use that are not frozen: the batch's, or the running ones, which then stay.
enum class NormMode : std::uint8_t { train, eval };

/// How the learning rate falls.
enum class Schedule : std::uint8_t {
  multistep,  ///< times gamma on entering each of the milestones
  cosine      ///< along half a wave, to 0 at the end
};

/// What a recipe's `init` may be, besides a file of a model or checkpoint, of which every parameter is taken
/// that the model too has in that shape.
namespace start {
inline constexpr const char* model = "model";      ///< the model's own weights
inline constexpr const char* scratch = "scratch";  ///< random ones, as mmaction2 initialises
}  // namespace start

/// Stands for a number that is chosen by what else the recipe says.
inline constexpr double automatic_number = -1;

struct Recipe {
  std::string model{};              ///< file that training starts from
  std::string train{};              ///< a list or folder
  std::string val{};                ///< the same; empty: there is no validation
  std::string root{};               ///< where relative paths of lists begin; empty: in the list's folder
  std::string labels{};             ///< file of class names; empty: the data's, else the model's
  std::string filename_template{};  ///< of raw frames; empty: told from the names
  std::string init = "model";       ///< what weights training starts with (start)
  int epochs = 0;                   ///< 0: chosen by the number of steps
  int batch = 8;                    ///< clips that a process computes at once
  int accumulate = 1;               ///< such batches of each process for an update
  int ranks = 0;                    ///< processes; 0: as many as were started
  bool sync_bn = false;             ///< batch norms have the statistics of all processes' batches
  double lr = automatic_number;     ///< highest learning rate
  bool auto_scale_lr = false;       ///< `lr` is meant for 64 clips a step
  Schedule schedule = Schedule::cosine;
  double warmup = 0;              ///< epochs in which the rate rises from a tenth
  std::vector<int> milestones{};  ///< epochs, from 0; empty: after half and five sixths of them
  double gamma = 0.1;             ///< the factor of a milestone
  double momentum = 0.9;
  double weight_decay = 1e-4;
  double clip_grad = 40;  ///< the most that the L2 norm of all gradients may be; 0: anything
  double label_smoothing = 0;
  double dropout = automatic_number;  ///< before the classifiers; automatic: the model's
  /// The least that random crops have of a frame's area; automatic: the augmentation's (ClipOptions).
  double crop_area = automatic_number;
  std::string flip = "auto";           ///< engine/finetuning/flip_labels.h
  std::string class_weights = "none";  ///< engine/finetuning/class_weights.h
  bool balanced = false;               ///< every class is drawn equally often
  Freeze freeze = Freeze::automatic;
  NormMode bn = NormMode::train;
  Augment augment = Augment::automatic;
  bool shuffle = true;
  double ema =
      0;  ///< decay per step of an average of the weights, which is what is validated and kept; 0: none
  std::string val_protocol = "quick";  ///< "quick", or one of protocol_names()
  std::string val_views{};             ///< "CLIPSxCROPS" in place of the protocol's
  int val_every = 0;                   ///< epochs; 0: so that there are about twenty judgements
  int early_stop = 0;  ///< validations without a better top-1 accuracy after which the run ends; 0: none
  int keep = 0;        ///< models of the last epochs that are kept, beside the best
  bool skip_bad = false;
  std::int64_t seed = 0;
  bool deterministic = false;  ///< the same bits with any number of threads
  Precision precision = Precision::f32;
  std::string device = "auto";  ///< auto, cpu, cuda, or cuda:N
  std::vector<int> devices{};   ///< GPUs of a machine's processes, in order; empty: numbered as they are
  int threads = 0;              ///< of a CPU's network; 0: one for each processor
  int workers = 0;              ///< threads that decode; 0: one for each processor
  int cache_mb = 2048;          ///< memory for decoded frames

  bool operator==(const Recipe&) const = default;
};

/// The names of an enumerator's values in recipes and on command lines, in the order of the values.
template <class E>
const std::vector<std::string>& names_of();
template <>
const std::vector<std::string>& names_of<Freeze>();
template <>
const std::vector<std::string>& names_of<Augment>();
template <>
const std::vector<std::string>& names_of<NormMode>();
template <>
const std::vector<std::string>& names_of<Schedule>();
template <>
const std::vector<std::string>& names_of<Precision>();

template <class E>
const std::string& recipe_name(E value) {
  return names_of<E>().at(static_cast<std::size_t>(value));
}
/// The value of that name; none where there is none.
template <class E>
std::optional<E> recipe_value(std::string_view name) {
  const std::vector<std::string>& names = names_of<E>();
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? std::nullopt : std::optional(static_cast<E>(found - names.begin()));
}

/// A JSON object of all fields, for people too: one a line.
std::string to_json(const Recipe& recipe);

/// Reads what to_json() wrote; fields that are left out keep the values of `base`. Throws Error naming the
/// file and the field.
Recipe load_recipe(const std::filesystem::path& path, const Recipe& base = {});
/// The same for JSON text; `name` stands for the file in messages.
Recipe parse_recipe(std::string_view json, const std::string& name, const Recipe& base = {});

/// The recipe with everything automatic decided. clips: that there are for training; parameters: of the
/// model.
///   freeze: "none" for networks below 5 million parameters, which have few features besides those that
///     their own classes took, and are quickly trained. Of others "neck" below 1,000 clips: there is too
///     little to learn more from than the classifier; "3" below 10,000; else "none".
///   augment: "light" where all but the classifier is frozen, so that features can be kept; else "reference",
///     of small networks with crops of 0.4 of the area at least: of a small frame less shows too little.
///   lr: 0.01 for a classifier alone, 0.03 for such a small network, else 0.0025, all for 8 clips an
///     update and in proportion to them.
///   epochs: as many as 1,000 updates take, but from 20 to 150; of such a small network, whose updates are
///     cheap, 2,000 and 20 to 250.
Recipe resolved(Recipe recipe, std::int64_t clips, std::int64_t parameters);

/// Clips of an update: of all batches of all processes.
std::int64_t update_clips(const Recipe& recipe);

/// The modules that a recipe's `freeze`, which must not be automatic, leaves out of learning.
std::vector<std::string> frozen_modules(Freeze freeze);

/// Whether all that is learned is the classifier, so that what goes into it can be kept from epoch to epoch.
bool learns_classifier_only(const Recipe& recipe);

}  // namespace tpn
