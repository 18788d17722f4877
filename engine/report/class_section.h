// What was taken for what, and how well each class is known, as sections of a page.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tpn {

/// Something else that is counted for each class.
struct ClassColumn {
  std::string name{};
  std::vector<std::int64_t> counts{};  ///< (K)
};

struct ClassSection {
  std::vector<std::string> classes{};     ///< K names; where one is empty, its number is shown
  std::vector<std::int64_t> confusion{};  ///< (K,K) clips by class and guess
  std::string clips_name{};               ///< what the clips are called: "Validation clips"
  std::vector<ClassColumn> columns{};
};

/// A class's name as it is shown.
std::string class_html(std::span<const std::string> classes, std::size_t label);

/// The matrix with the most frequent confusions, and the table of the classes.
std::string class_sections_html(const ClassSection& section);

}  // namespace tpn
