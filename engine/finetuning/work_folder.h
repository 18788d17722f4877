// The folder in which a run keeps its files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <utility>

namespace tpn {

/// Locks the folder while it lives, so that no two runs share one.
class WorkFolder {
 public:
  /// Makes the folder where it is missing, and removes temporary files that a killed run left. Throws
  /// OutputError when it cannot be written to or another run works there.
  explicit WorkFolder(std::filesystem::path path);
  /// A folder that another process of the same run has locked.
  static WorkFolder of_others(std::filesystem::path path) { return {std::move(path), none}; }
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;
  ~WorkFolder();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// Where the run is: what it goes on from.
  [[nodiscard]] std::filesystem::path last() const { return path_ / "last.safetensors"; }
  /// The result: the model of the best epoch so far, or without validation of the last.
  [[nodiscard]] std::filesystem::path model() const { return path_ / "model.safetensors"; }
  /// A model that is being validated.
  [[nodiscard]] std::filesystem::path candidate() const { return path_ / "candidate.safetensors"; }
  /// The model of an epoch, of which the last few are kept.
  [[nodiscard]] std::filesystem::path of_epoch(std::int64_t epoch) const;
  [[nodiscard]] std::filesystem::path report() const { return path_ / "report.html"; }
  [[nodiscard]] std::filesystem::path recipe() const { return path_ / "recipe.json"; }
  [[nodiscard]] std::filesystem::path log() const { return path_ / "log.jsonl"; }
  [[nodiscard]] std::filesystem::path skipped() const { return path_ / "skipped.txt"; }

 private:
  static constexpr int none = -1;

  WorkFolder(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::filesystem::path path_;
  int lock_ = none;
};

}  // namespace tpn
