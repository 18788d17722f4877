// What the losses of clips count by their classes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tpn {

/// Of a recipe's `class_weights`:
///   none           nothing: all count alike
///   balanced       in inverse proportion to the clips of the class, a mean of 1 over the clips
///   1,2.5,...      the numbers, one for each class in the order of labels
///   FILE           such numbers in a text file, with commas, blanks or line ends between them
/// labels: of the clips to learn from. Throws Error, naming what is wrong, unless there is for each class a
/// number that is finite and not negative, and for one of the clips a positive one.
std::vector<float> class_weights(const std::string& how, std::span<const std::int64_t> labels,
                                 std::int64_t classes);

/// The same with a file's numbers in its place, so that it says all.
std::string with_numbers(const std::string& how);

}  // namespace tpn
