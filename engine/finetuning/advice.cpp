#include "engine/finetuning/advice.h"

#include <algorithm>
#include <cstdio>

#include "engine/finetuning/flip_labels.h"
#include "engine/model/text.h"

namespace tpn {
namespace {

std::string number(double value) {
  char text[32];
  (void)std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

bool learns_norms_from_batches(const Recipe& recipe) {
  return recipe.bn == NormMode::train && recipe.freeze != Freeze::neck;
}

}  // namespace

std::vector<std::string> advice(const Recipe& recipe, const Recipe& given, const FinetuneData& data,
                                std::int64_t parameters) {
  std::vector<std::string> said;
  const auto clips = static_cast<std::int64_t>(data.train.samples.size());
  if (recipe.schedule == Schedule::multistep) {
    for (const int milestone : recipe.milestones) {
      if (milestone < recipe.epochs) continue;
      said.push_back("The milestone " + std::to_string(milestone) + " is never reached: there are " +
                     std::to_string(recipe.epochs) + " epochs.");
    }
  }
  if (recipe.warmup >= recipe.epochs)
    said.emplace_back(
        "The warm-up is as long as the training: the learning rate never gets where it should.");
  if (learns_norms_from_batches(recipe)) {
    // Clips that batch norms see at once at the end of an epoch, when they are shared out among processes.
    const std::int64_t shares = recipe.sync_bn ? 1 : std::max(recipe.ranks, 1);
    const std::int64_t left = clips % (std::int64_t{recipe.batch} * std::max(recipe.ranks, 1));
    if (recipe.batch == 1 && shares == std::max(recipe.ranks, 1)) {
      said.emplace_back(
          "With a single clip a step, the batch norms' statistics are those of one clip: "
          "--bn eval keeps the model's.");
    } else if (left > 0 && left < 2 * shares) {
      said.push_back(
          "The last step of each epoch has a single clip, from which batch norms get poor statistics: "
          "another --batch than " +
          std::to_string(recipe.batch) + " leaves more.");
    }
  }
  if (given.lr != automatic_number && recipe.init != start::scratch) {
    Recipe automatic = recipe;
    automatic.lr = automatic_number;
    const double usual = resolved(automatic, clips, parameters).lr;
    constexpr double far = 4;
    if (recipe.lr > usual * far || recipe.lr * far < usual) {
      said.push_back("The learning rate " + number(recipe.lr) + " is far from the " + number(usual) +
                     " that suits " + std::to_string(update_clips(recipe)) +
                     " clips a step: one that is meant for 64 clips needs --auto-scale-lr.");
    }
  }
  if (recipe.augment != Augment::none) {
    for (const std::int64_t label : flip_labels(recipe.flip, data.labels()).without_counterpart) {
      said.push_back("Half of the clips are mirrored, those of the class " +
                     in_quotes(data.labels()[static_cast<std::size_t>(label)]) +
                     " too, which has no class for the other side: if it needs one, use --flip off.");
    }
  }
  if (!data.validation) {
    said.emplace_back(
        "Without --val nothing tells whether the model knows more than the clips it was trained with; "
        "the last epoch's model is kept.");
  }
  return said;
}

}  // namespace tpn
