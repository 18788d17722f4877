#include "kernels/selection_table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

#include "kernels/digest.h"

// The text: a line that names the format, then for each entry a line "layer KEY COUNT" and COUNT lines
// "SECONDS ERROR CHOSEN IMPLEMENTATION REASON", then "end SUM", the FNV-1a sum of all that precedes it.
// Fields are separated by tabs.
namespace tpn {
namespace {

constexpr std::string_view header = "tpn kernel selections 1";

template <class Number, class... Format>
std::string number_text(Number value, Format... format) {
  std::array<char, 64> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, format...);
  return {digits.data(), end.ptr};
}

template <class Number, class... Format>
std::optional<Number> parse_number(std::string_view text, Format... format) {
  Number value{};
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value, format...);
  if (status != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// A field as it may stand in a line.
std::string field(std::string text) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' '; };
  std::replace_if(text.begin(), text.end(), is_control, ' ');
  return text;
}

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> fields;
  while (true) {
    const std::size_t tab = line.find('\t');
    fields.push_back(line.substr(0, tab));
    if (tab == std::string_view::npos) return fields;
    line.remove_prefix(tab + 1);
  }
}

/// Takes lines, each ended, off the front of a text.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}

  std::optional<std::string_view> next() {
    const std::size_t end = rest_.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return line;
  }
  [[nodiscard]] std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

std::optional<CandidateReport> parse_candidate(std::string_view line) {
  const std::vector<std::string_view> fields = split(line);
  if (fields.size() != 5 || (fields[2] != "0" && fields[2] != "1") || fields[3].empty()) return std::nullopt;
  const auto seconds = parse_number<double>(fields[0]), error = parse_number<double>(fields[1]);
  if (!seconds || !error || !std::isfinite(*seconds) || *seconds < 0) return std::nullopt;
  return CandidateReport{std::string(fields[3]), *seconds, *error, fields[2] == "1", std::string(fields[4])};
}

bool one_is_chosen(const std::vector<CandidateReport>& candidates) {
  return std::count_if(candidates.begin(), candidates.end(),
                       [](const CandidateReport& c) { return c.chosen; }) == 1;
}

}  // namespace

Result<SelectionTable> SelectionTable::parse(std::string_view text) {
  if (text.size() > max_bytes) return Failure{"The table of kernels is larger than any that is written."};
  Lines lines(text);
  if (lines.next() != header) return Failure{"The text is no table of kernels of this version."};
  SelectionTable table;
  while (true) {
    const std::size_t before = text.size() - lines.rest().size();
    const auto line = lines.next();
    if (!line) return Failure{"The table of kernels ends too early."};
    const std::vector<std::string_view> fields = split(*line);
    if (fields.size() == 2 && fields[0] == "end") {
      if (parse_number<std::uint64_t>(fields[1], 16) != Digest().add(text.substr(0, before)).value() ||
          !lines.rest().empty()) {
        return Failure{"The table of kernels is damaged."};
      }
      return table;
    }
    const auto count = fields.size() == 3 ? parse_number<std::size_t>(fields[2]) : std::nullopt;
    if (!count || fields[0] != "layer" || *count > max_candidates || table.size() == max_entries) {
      return Failure{"The table of kernels has a line that no table has."};
    }
    std::vector<CandidateReport> candidates;
    for (std::size_t i = 0; i < *count; ++i) {
      const auto candidate_line = lines.next();
      auto candidate = candidate_line ? parse_candidate(*candidate_line) : std::nullopt;
      if (!candidate) return Failure{"The table of kernels has a candidate that cannot be read."};
      candidates.push_back(*std::move(candidate));
    }
    if (!one_is_chosen(candidates)) return Failure{"The table of kernels has an entry without a choice."};
    table.entries_.emplace_back(fields[1], std::move(candidates));
  }
}

std::string SelectionTable::text() const {
  std::string text(header);
  text += '\n';
  for (const auto& [key, candidates] : entries_) {
    text += "layer\t" + field(key) + '\t' + number_text(candidates.size()) + '\n';
    for (const CandidateReport& c : candidates) {
      text += number_text(c.seconds) + '\t' + number_text(c.relative_error) + (c.chosen ? "\t1\t" : "\t0\t") +
              field(c.implementation) + '\t' + field(c.reason) + '\n';
    }
  }
  return text + "end\t" + number_text(Digest().add(text).value(), 16) + '\n';
}

const std::vector<CandidateReport>* SelectionTable::find(std::string_view key) const {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const auto& entry) { return entry.first == key; });
  return found == entries_.end() ? nullptr : &found->second;
}

void SelectionTable::put(const std::string& key, std::vector<CandidateReport> candidates) {
  if (!one_is_chosen(candidates) || candidates.size() > max_candidates) {
    throw Error("Of the kernels for '" + key + "' one must be chosen among at most " +
                std::to_string(max_candidates) + ".");
  }
  std::erase_if(entries_, [&](const auto& entry) { return entry.first == key; });
  if (entries_.size() == max_entries) entries_.erase(entries_.begin());
  entries_.emplace_back(key, std::move(candidates));
}

void SelectionTable::put_all(const SelectionTable& other) {
  for (const auto& [key, candidates] : other.entries_) put(key, candidates);
}

std::optional<std::vector<CandidateReport>> SelectionStore::find(std::string_view key) const {
  const std::lock_guard lock(mutex_);
  const std::vector<CandidateReport>* found = table_.find(key);
  return found ? std::optional(*found) : std::nullopt;
}

void SelectionStore::put(const std::string& key, std::vector<CandidateReport> candidates) {
  const std::lock_guard lock(mutex_);
  table_.put(key, std::move(candidates));
  changed_ = true;
}

SelectionTable SelectionStore::snapshot() const {
  const std::lock_guard lock(mutex_);
  return table_;
}

bool SelectionStore::take_changed() {
  const std::lock_guard lock(mutex_);
  return std::exchange(changed_, false);
}

}  // namespace tpn
