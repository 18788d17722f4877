// Scores of an earlier evaluation, of this engine or of mmaction2, from files of several forms.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/evaluation/evaluated_video.h"

namespace tpn {

enum class DumpFormat { json_lines, csv, numpy, pickle };

/// Told by the end of the name: .jsonl or .json, .csv, .npy, .pkl or .pickle. Throws Error for others.
DumpFormat dump_format_of(const std::filesystem::path& path);
/// "jsonl", "csv", "npy", "pkl". Throws Error for others.
DumpFormat dump_format_named(const std::string& name);

struct ScoreTable {
  std::string name;                    ///< of the file
  std::vector<EvaluatedVideo> videos;  ///< with what the form has
  bool has_paths = false;              ///< else videos are known by their places in the list
  bool has_labels = false;
};

/// Reads any of the forms. Throws Error naming the file, and what is wrong with it.
/// json_lines  as tpn_eval writes them
/// csv         a heading with "path", "label", "error" and a column for each class, "score_0" and so on
/// numpy       (N,K) floats; what failed is NaN
/// pickle      of mmaction2 1.x (tools/test.py --dump: dictionaries with pred_score and gt_label), or of 0.x
///             (--out: arrays). Nothing in it is executed.
ScoreTable read_score_table(const std::filesystem::path& path, DumpFormat format);

}  // namespace tpn
