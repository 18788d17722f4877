// The clips of a run, read and checked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/data/sample_list.h"
#include "engine/finetuning/recipe.h"

namespace tpn {

struct FinetuneData {
  SampleList train;
  std::optional<SampleList> validation;
  std::int64_t classes = 0;
  std::vector<std::string> warnings;  ///< sentences
  std::vector<std::string> skipped;   ///< what is wrong with entries that were left out, sentences

  [[nodiscard]] const std::vector<std::string>& labels() const { return train.classes; }
  /// Of all entries: another one is other data.
  [[nodiscard]] std::string digest() const;
};

/// Of all samples, in their order.
std::vector<std::int64_t> labels_of(const SampleList& list);

/// How many there are of each class; labels lie in [0, classes).
std::vector<std::int64_t> count_labels(std::span<const std::int64_t> labels, std::int64_t classes);

/// Reads the recipe's lists. Throws Error as read_sample_list() does.
FinetuneData read_data(const Recipe& recipe);

/// Opens every file and looks at every entry; with `skip_bad` in the recipe, entries that are no good are
/// left out, else Error says what is wrong, up to `most_faults` of it, a sentence a line. progress: as in
/// CheckOptions.
void check_data(FinetuneData& data, const Recipe& recipe, int threads,
                const std::function<void(std::size_t done, std::size_t of)>& progress);

}  // namespace tpn
