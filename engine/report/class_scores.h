// What a confusion matrix says about each class.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace tpn {

struct ClassScore {
  std::int64_t samples = 0;  ///< clips of the class
  std::int64_t guesses = 0;  ///< clips that were taken for it
  std::int64_t hits = 0;     ///< both

  /// NaN where there were no guesses, or no samples.
  [[nodiscard]] double precision() const;
  [[nodiscard]] double recall() const;
};

/// Clips of one class that were taken for another.
struct Confusion {
  std::size_t label = 0;
  std::size_t guess = 0;
  std::int64_t count = 0;
};

/// confusion: (K,K), rows are classes and columns guesses. Returns K scores.
std::vector<ClassScore> class_scores(std::span<const std::int64_t> confusion, std::size_t classes);

/// The pairs with the largest counts, those first, at most `most`; among equals in the order of the matrix.
std::vector<Confusion> largest_confusions(std::span<const std::int64_t> confusion, std::size_t classes,
                                          std::size_t most);

/// What most clips of a class that were not recognised were taken for.
std::optional<Confusion> largest_confusion_of(std::span<const std::int64_t> confusion, std::size_t classes,
                                              std::size_t label);

}  // namespace tpn
