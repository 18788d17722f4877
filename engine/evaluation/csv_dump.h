// Scores as a table with commas: "entry,path,label,guess,frames,seconds,error,score_0,...".
#pragma once

#include "engine/evaluation/score_dump.h"
#include "engine/model/output_file.h"

namespace tpn {

class CsvDump : public ScoreDump {
 public:
  CsvDump(const std::filesystem::path& path, const EvaluationRun& run);
  void add(const EvaluatedVideo& video) override;
  void finish() override { file_.commit(); }

 private:
  OutputFile file_;
  std::size_t classes_;
};

/// As read_score_table().
ScoreTable read_csv_dump(const std::filesystem::path& path);

}  // namespace tpn
