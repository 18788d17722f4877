// Decoded frames of samples, kept in memory for the next epochs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "engine/video/frame_reader.h"
#include "kernels/preprocess/image.h"

namespace tpn {

/// Thread-safe. Frames are kept as decoded, in RGB and in their own size, since every epoch cuts another part
/// out of them. Nothing is dropped for others: an epoch comes round to all samples, so that what is there is
/// worth as much as what would replace it. Readers are kept in any case and count.
class FrameCache {
 public:
  FrameCache(std::size_t samples, std::int64_t most_bytes) : readers_(samples), most_bytes_(most_bytes) {}

  /// nullptr when there is none.
  std::shared_ptr<const FrameReader> reader(std::size_t sample) const;
  std::shared_ptr<const Image> frame(std::size_t sample, std::int64_t number) const;

  /// Returns the one that is there, where another thread was faster.
  std::shared_ptr<const FrameReader> add(std::size_t sample, std::shared_ptr<const FrameReader> reader);
  /// Keeps a copy, where there is room.
  void add(std::size_t sample, std::int64_t number, const ImageView& frame);

  [[nodiscard]] std::int64_t bytes() const;

 private:
  struct Key {
    std::size_t sample;
    std::int64_t number;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const {
      return key.sample * 0x9e3779b97f4a7c15U + static_cast<std::size_t>(key.number);
    }
  };

  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<const FrameReader>> readers_;
  std::unordered_map<Key, std::shared_ptr<const Image>, Hash> frames_;
  std::int64_t most_bytes_;
  std::int64_t bytes_ = 0;
};

}  // namespace tpn
