// The results of an earlier run that --resume goes on with.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "engine/model/whole_lines.h"
#include "engine/recognize/tpn.h"

namespace tpn::app {

struct ResultFormat;

/// A name for a model, by its digest, and every option that results depend on: 16 hexadecimal digits, in each
/// line of results.
std::string run_name(const std::string& model, const RecognizerOptions& options, const ResultFormat& format);

class EarlierResults {
 public:
  EarlierResults() = default;
  /// Reads lines of JSON as tpn_infer writes them; none when the file is not there. A last line without an
  /// end is left out. Throws OptionError when a line is none or has the name of another run.
  EarlierResults(const std::filesystem::path& file, const std::string& run);

  /// Takes out the inputs that there are results for, each as often as there are. Returns how many those
  /// were.
  std::size_t take_from(std::vector<std::string>& inputs) const;

  /// How many of the results are failures.
  [[nodiscard]] int failures() const { return failures_; }
  /// Of whole lines.
  [[nodiscard]] std::uint64_t bytes() const { return whole_.bytes; }
  /// Whether there was a last line without an end.
  [[nodiscard]] bool torn() const { return whole_.torn; }

 private:
  std::map<std::string, int> counts_;  ///< of results, by the input as JSON shows it
  int failures_ = 0;
  WholeLines whole_;
};

}  // namespace tpn::app
