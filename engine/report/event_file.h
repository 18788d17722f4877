// Event files of TensorBoard: scalars over steps.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/report/append_file.h"

namespace tpn {

struct EventScalar {
  std::string tag;  ///< "train/loss": what stands before the first slash groups charts
  float value = 0;
};

/// The protocol buffer `Event` with these scalars. wall_time: seconds since 1970.
std::string encode_scalars(double wall_time, std::int64_t step, std::span<const EventScalar> scalars);

/// A record of the TFRecord format: length, data, and the masked CRC-32C of both.
std::string frame_record(std::string_view data);

/// A new event file in a folder, which TensorBoard shows together with those that earlier runs left there.
/// Each record is with the system when add() returns. Throws OutputError.
class EventFile {
 public:
  /// first_step: where a run goes on that was ended; TensorBoard then forgets what earlier files have from
  /// that step on.
  explicit EventFile(const std::filesystem::path& folder, std::optional<std::int64_t> first_step = {});

  void add(std::int64_t step, std::span<const EventScalar> scalars);

  [[nodiscard]] const std::filesystem::path& path() const { return file_.path(); }

 private:
  AppendFile file_;
};

}  // namespace tpn
