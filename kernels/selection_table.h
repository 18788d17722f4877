// Which kernels proved fastest for which operations: remembered, and written as text to be read again.
#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/backend.h"

namespace tpn {

/// Reports of choices by key. A key says everything that the choice depends on: the device, the versions of
/// what runs on it, and the operation with its shapes and types.
class SelectionTable {
 public:
  /// Entries beyond this many push the oldest ones out.
  static constexpr std::size_t max_entries = 4096;
  static constexpr std::size_t max_candidates = 256;               ///< of an entry
  static constexpr std::size_t max_bytes = std::size_t{16} << 20;  ///< of the text

  /// What text() wrote, unchanged; a failure for everything else.
  static Result<SelectionTable> parse(std::string_view text);
  [[nodiscard]] std::string text() const;

  /// The candidates of a key, one of them chosen; null when there is none. Valid until the next change.
  [[nodiscard]] const std::vector<CandidateReport>* find(std::string_view key) const;
  /// Replaces what the key had. Throws Error unless exactly one candidate is chosen and there are at most
  /// max_candidates.
  void put(const std::string& key, std::vector<CandidateReport> candidates);
  /// Puts everything that the other table has.
  void put_all(const SelectionTable& other);

  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  std::vector<std::pair<std::string, std::vector<CandidateReport>>> entries_;  // oldest first
};

/// A table that several threads use.
class SelectionStore {
 public:
  explicit SelectionStore(SelectionTable table = {}) : table_(std::move(table)) {}

  [[nodiscard]] std::optional<std::vector<CandidateReport>> find(std::string_view key) const;
  void put(const std::string& key, std::vector<CandidateReport> candidates);
  [[nodiscard]] SelectionTable snapshot() const;
  /// Whether something was put since the last call.
  bool take_changed();

 private:
  mutable std::mutex mutex_;
  SelectionTable table_;
  bool changed_ = false;
};

}  // namespace tpn
