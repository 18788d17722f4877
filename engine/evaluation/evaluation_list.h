// The list that a model is judged by, as entries in the model's classes.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "engine/data/sample_list.h"
#include "engine/evaluation/evaluated_video.h"
#include "engine/recognize/tpn.h"

namespace tpn {

struct EvaluationList {
  std::string name;
  /// The list's samples in their order, then its lines that are none. What cannot be used has its error
  /// already; the others have none, and no scores yet.
  std::vector<EvaluatedVideo> entries;
  std::vector<VideoInput> inputs;     ///< one for each entry; without a name where there is an error
  std::vector<std::string> classes;   ///< (K) names of the model's classes, or the list's where it has none
  std::vector<std::string> warnings;  ///< sentences

  /// Of paths below the root, labels and frames: another one is another list.
  [[nodiscard]] std::string digest() const;
};

/// Reads a list or a folder as read_sample_list() does. classes: names in the order of the model's labels, K
/// of them, all empty where it has none. Labels outside of them are the entries' errors. Throws Error as
/// read_sample_list() does, and when the labels seem to be counted from 1, or to be names in an order that
/// the model does not know.
EvaluationList read_evaluation_list(const std::filesystem::path& list_or_folder,
                                    const std::vector<std::string>& classes, SampleListOptions options);

}  // namespace tpn
