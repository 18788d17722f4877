// Scores as mmaction2 keeps them: a pickled list with a dictionary for each video.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "engine/evaluation/score_dump.h"
#include "engine/model/output_file.h"

namespace tpn {

/// What tools/test.py --dump writes in mmaction2 1.x, so that its own tools read it: dictionaries of
/// num_classes, img_shape, pred_label (1) and gt_label (1) in i64, pred_score (K) in f32, tensors of torch;
/// and the path as `filename`. What failed has an `error` besides, and scores by which those tools count it
/// as wrong: 0, and -1 for its own class. Entries without a class are left out, since those know none.
class PickleDump : public ScoreDump {
 public:
  PickleDump(const std::filesystem::path& path, const EvaluationRun& run);
  void add(const EvaluatedVideo& video) override;
  void finish() override;

 private:
  OutputFile file_;
  std::int64_t classes_;
  std::int64_t side_;
};

/// As read_score_table().
ScoreTable read_pickle_dump(const std::filesystem::path& path);

/// The same for the bytes of a file of that name.
ScoreTable parse_pickle_dump(std::span<const std::byte> bytes, const std::string& name);

}  // namespace tpn
