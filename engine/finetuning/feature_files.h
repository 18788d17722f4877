// Files of features that were computed once: a folder for each network and way of making clips, in it a file
// for each clip.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>

#include "engine/data/sample_list.h"
#include "engine/model/weights.h"
#include "kernels/digest.h"
#include "kernels/precision.h"

namespace tpn {

class PooledFeatures;

/// Where a network's features are kept.
struct FeatureCache {
  std::filesystem::path folder;
  Digest network;  ///< of its configuration, and of the weights of its backbone and neck

  /// Reads all of these weights.
  FeatureCache(std::filesystem::path its_folder, const Weights& weights);
};

class FeatureFiles {
 public:
  /// Nothing is kept.
  FeatureFiles() = default;
  /// Those of the network, run in that precision on devices whose memory has that name
  /// (Backend::memory_name()). clips: all that decides how clips are made, whatever the sample.
  FeatureFiles(const FeatureCache& cache, Precision precision, const std::string& memory,
               const Digest& clips);

  /// Where features of that sample are; none where nothing is kept, or its file cannot be told from others.
  /// draws: all that decides what is made of this sample in particular.
  [[nodiscard]] std::optional<std::filesystem::path> file_of(const Sample& sample, Digest draws) const;

  /// Reads all variants of a sample, of that many channels; false where there is no such file that is whole.
  static bool read(const std::filesystem::path& file, std::size_t sample, std::size_t channels,
                   PooledFeatures& features);
  /// Writes them; a folder that cannot be written to keeps nothing.
  static void write(const std::filesystem::path& file, std::size_t sample, const PooledFeatures& features);

 private:
  std::optional<std::filesystem::path> folder_;
};

}  // namespace tpn
