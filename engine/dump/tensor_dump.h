// Writes a safetensors file of what went through a network: views, features, logits, scores.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/dump/spill_file.h"
#include "engine/exec/executor.h"
#include "engine/model/config.h"
#include "engine/model/output_file.h"
#include "kernels/tensor.h"

namespace tpn {

/// The views that went through the network, once more.
struct ViewReader {
  Shape shape;                                       ///< (3, T, H, W), of each
  std::function<std::vector<float>(int view)> read;  ///< channels first
};

/// What a dump holds besides views and features.
struct DumpedResults {
  int views = 0;
  int clips = 0;                                ///< of frame_indices
  std::span<const std::int64_t> frame_indices;  ///< (clips, T); empty where there was no video
  std::span<const float> logits;                ///< (views, K)
  std::span<const float> scores;                ///< (K)
};

/// Holds the features of the views that have been run, in a nameless file beside the dump.
class TensorDumpWriter {
 public:
  /// with_features: whether features are dumped too. Throws Error when the dump cannot be written: before
  /// there is anything to write.
  TensorDumpWriter(const std::filesystem::path& path, bool with_features, const Config& config);

  /// The names of the features that record() takes.
  [[nodiscard]] const std::vector<std::string>& features() const { return features_; }

  /// Takes the features of some views, those of features() in their order, perhaps with others behind:
  /// element i along the first axis is of view views[i]. A view may be recorded again, which replaces it.
  void record(std::span<const int> views, std::span<const Feature> features);

  /// Writes the dump. Features of every view must have been recorded. Throws Error as write_safetensors().
  void write(const DumpedResults& results, const ViewReader& input);

 private:
  struct Recorded {
    std::string name;
    Shape view;          ///< of one view: (C, T, H, W), or where per_frame (T, C, H, W)
    bool per_frame;      ///< in the file (views * T, C, H, W)
    std::size_t offset;  ///< into a view's record, bytes
  };

  void lay_out(std::span<const Feature> features);

  OutputFile file_;
  bool flat_backbone_;
  std::vector<std::string> features_;
  std::optional<SpillFile> spill_;
  std::vector<Recorded> recorded_;
  std::size_t record_bytes_ = 0;  // of one view
};

}  // namespace tpn
