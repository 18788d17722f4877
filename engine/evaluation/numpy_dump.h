// Scores as an array file of NumPy (.npy): (N,K) in f32, in the list's order; what failed is a row of NaN.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "engine/evaluation/score_dump.h"
#include "engine/model/output_file.h"

namespace tpn {

class NumpyDump : public ScoreDump {
 public:
  NumpyDump(const std::filesystem::path& path, const EvaluationRun& run);
  void add(const EvaluatedVideo& video) override;
  void finish() override { file_.commit(); }

 private:
  OutputFile file_;
  std::size_t classes_;
};

/// As read_score_table(): arrays of versions 1 to 3, little-endian f32 or f64, in C's order.
ScoreTable read_numpy_dump(const std::filesystem::path& path);

/// The same for the bytes of a file of that name.
ScoreTable parse_numpy_dump(std::span<const std::byte> bytes, const std::string& name);

}  // namespace tpn
