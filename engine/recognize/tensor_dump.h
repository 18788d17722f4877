// Writes the file that a TensorDump asks for.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/exec/executor.h"
#include "engine/model/config.h"
#include "engine/model/output_file.h"
#include "engine/recognize/spill_file.h"
#include "engine/recognize/tpn.h"
#include "kernels/tensor.h"

namespace tpn {

/// The views of a recognition once more.
struct ViewReader {
  Shape shape;  ///< (3, T, H, W), of each
  std::function<std::vector<float>(int view)> read;
};

/// Holds the features of the views that have been run, in a nameless file beside the dump.
class TensorDumpWriter {
 public:
  /// Throws Error when the dump cannot be written: before there is anything to write.
  TensorDumpWriter(const TensorDump& dump, const Config& config);

  /// What the plan has to keep for record().
  [[nodiscard]] const std::vector<std::string>& features() const { return features_; }

  /// Takes the features of a run: row i of the executor's results is view views[i]. A view may be recorded
  /// again, which replaces it.
  void record(const Executor& executor, std::span<const int> views);

  /// Writes the dump. Every view of the recognition must have been recorded. Throws Error as
  /// write_safetensors().
  void write(const Recognition& recognition, const ViewReader& input);

 private:
  struct Recorded {
    std::string name;
    Shape view;          ///< of one view: (C, T, H, W), or where per_frame (T, C, H, W)
    bool per_frame;      ///< in the file (views * T, C, H, W)
    std::size_t offset;  ///< into a view's record, bytes
  };

  void lay_out(const Executor& executor);

  TensorDump dump_;
  OutputFile file_;
  bool flat_backbone_;
  std::vector<std::string> features_;
  std::optional<SpillFile> spill_;
  std::vector<Recorded> recorded_;
  std::size_t record_bytes_ = 0;  // of one view
};

}  // namespace tpn
