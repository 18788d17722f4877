// Finds what is wrong with lists of samples before the first step of training.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/data/sample_list.h"

namespace tpn {

struct SampleFault {
  std::string message;                     ///< a sentence with list and line
  std::optional<std::size_t> sample = {};  ///< the one to leave out; none for lines that gave no sample, and
                                           ///< for lists as a whole
  bool in_validation = false;              ///< `sample` counts in the validation list
  bool skippable = true;                   ///< training makes sense without what the fault is about
};

struct CheckOptions {
  /// Labels are below this; 0: below the number of class names, where there are any.
  std::int64_t classes = 0;
  std::int64_t least_frames = 1;  ///< shorter videos are faults
  RawFrameNames raw_frames = {};
  DecodeOptions decode = {};
  int threads = 1;
  /// Told after each file that was opened, from any thread, one call at a time.
  std::function<void(std::size_t done, std::size_t of)> progress = {};
};

/// Looks at every entry, opening each file once: what reading the lists found, labels that are out of range
/// or seem to be counted from 1, entries that are there twice, files of the training list in the validation
/// list, classes without a sample for training, files that cannot be opened (open_frames()) or are too short.
/// In the order of the lists: faults of the training list, then those of the validation list.
std::vector<SampleFault> check_samples(const SampleList& train, const SampleList* validation,
                                       const CheckOptions& options);

}  // namespace tpn
