// What the frames of a video are called, as people write it: img_%05d.jpg, img_{:05}.jpg, or img_*.jpg.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tpn {

/// Digits of the numbers in names that are compared as numbers: any so long fits std::int64_t.
inline constexpr std::size_t most_digits = 18;

class FramePattern {
 public:
  /// Takes a number as printf (%d, %5d would pad with blanks and is refused, %05d; %% is a percent sign) or
  /// as Python's format writes it ({}, {:d}, {:05}, {:05d}, with or without a 0 before the colon), once; or
  /// else the shell's *, ? and [...]. Throws Error for anything else, and for names with folders in them.
  explicit FramePattern(const std::string& pattern);

  /// The digits of the number in a name that fits, empty for one of the shell's patterns.
  [[nodiscard]] std::optional<std::string_view> match(std::string_view name) const;

  /// The name with that number, which is not negative, of a pattern that has one.
  [[nodiscard]] std::string name(std::int64_t number) const;

  [[nodiscard]] const std::string& text() const { return text_; }
  /// Whether its names are numbered.
  [[nodiscard]] bool has_number() const { return has_number_; }

 private:
  std::string text_;
  bool has_number_ = false;
  std::string before_;
  std::string after_;
  std::size_t width_ = 0;  // digits with zeros in front; 0: no zeros are put there
};

}  // namespace tpn
