// Which packets of a video file give which frame, so that one can be decoded without all before it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace tpn {

/// A packet of pictures as its container describes it; times in the stream's units, no_time where not stated.
struct PacketMark {
  static constexpr std::int64_t no_time = INT64_MIN;

  std::int64_t pts = no_time;  ///< of presentation
  std::int64_t dts = no_time;  ///< of decoding
  bool is_key = false;
  bool is_presentable = true;  ///< a frame is to be expected of it
};

/// Frames are numbered by their times of presentation.
class FrameIndex {
 public:
  /// A packet from which decoding can begin.
  struct Key {
    PacketMark mark;
    std::int64_t packet = 0;  ///< its number in the file
  };

  /// Of all packets in the order of the file. Nothing when their times do not tell frames: some are missing
  /// or equal, or what comes first does not begin with a key.
  static std::optional<FrameIndex> make(const std::vector<PacketMark>& packets);

  [[nodiscard]] std::int64_t frames() const { return static_cast<std::int64_t>(times_.size()); }
  /// The frame of that time, where there is one.
  [[nodiscard]] std::optional<std::int64_t> frame_at(std::int64_t pts) const;
  /// The last key from which decoding gives the frame: it stands before the frame's packet, and is not shown
  /// after the frame, which otherwise might need what precedes the key.
  [[nodiscard]] const Key& key_of(std::int64_t frame) const;
  /// Memory that it holds.
  [[nodiscard]] std::size_t bytes() const;

 private:
  std::vector<std::int64_t> times_;        // of frames, ascending
  std::vector<std::uint32_t> frame_keys_;  // of frames, where in keys_ theirs stands
  std::vector<Key> keys_;
};

}  // namespace tpn
