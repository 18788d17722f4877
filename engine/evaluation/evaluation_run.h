// What an evaluation is of: all that its results depend on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tpn {

/// One of `count` parts of a list: every entry whose index leaves `index` - 1 when divided by `count`, so
/// that all parts have videos of all kinds.
struct Shard {
  std::size_t index = 1;  ///< from 1 to count
  std::size_t count = 1;

  [[nodiscard]] bool has(std::size_t entry) const { return entry % count == index - 1; }
  /// How many of so many entries it has.
  [[nodiscard]] std::size_t size(std::size_t entries) const {
    return entries / count + (index - 1 < entries % count ? 1 : 0);
  }
  /// "2/8".
  [[nodiscard]] std::string text() const { return std::to_string(index) + "/" + std::to_string(count); }

  bool operator==(const Shard&) const = default;
};

/// A variable of the environment; none where it is not set.
using Variable = std::optional<std::string> (*)(const char* name);

/// Parses "i/n"; or "auto": the task of a Slurm array (SLURM_ARRAY_TASK_ID, _MIN, _STEP, _COUNT), else the
/// rank of an Open MPI job (OMPI_COMM_WORLD_RANK, _SIZE). Throws Error when it is neither, or out of range.
Shard parse_shard(const std::string& text, Variable environment);

struct EvaluationRun {
  std::string model{};         ///< name
  std::string model_digest{};  ///< of the file
  std::string protocol{};      ///< name, and below what it came to
  int clips = 0;
  int crops = 0;
  int short_side = 0;
  int crop_size = 0;
  std::string averaging{};  ///< "prob" or "score": of the views, as HeadConfig::average_clips
  std::string precision{};
  bool accurate_color = false;
  std::int64_t least_frames = 1;  ///< that a clip spans; shorter videos repeat frames
  std::string list{};             ///< name
  std::string list_digest{};
  std::size_t entries = 0;             ///< of the whole list
  std::vector<std::string> classes{};  ///< (K) names; empty where a class has none
  Shard shard{};

  [[nodiscard]] bool gives_probabilities() const { return averaging != "score"; }
};

/// Whether results of one belong to the other. Throws Error naming what differs, `place` (of the second)
/// first; shards are not looked at.
void require_same_run(const EvaluationRun& a, const EvaluationRun& b, const std::string& place);

}  // namespace tpn
