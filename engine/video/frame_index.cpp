#include "engine/video/frame_index.h"

#include <algorithm>

namespace tpn {

std::optional<FrameIndex> FrameIndex::make(const std::vector<PacketMark>& packets) {
  struct Entry {
    std::int64_t pts;
    std::uint32_t key;
  };
  if (packets.empty() || !packets.front().is_key) return std::nullopt;
  FrameIndex index;
  std::vector<Entry> entries;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const PacketMark& mark = packets[i];
    if (mark.pts == PacketMark::no_time) return std::nullopt;
    if (mark.is_key) index.keys_.push_back({mark, static_cast<std::int64_t>(i)});
    if (!mark.is_presentable) continue;
    std::size_t key = index.keys_.size() - 1;
    while (key > 0 && index.keys_[key].mark.pts > mark.pts) --key;
    if (index.keys_[key].mark.pts > mark.pts) return std::nullopt;
    entries.push_back({mark.pts, static_cast<std::uint32_t>(key)});
  }
  std::ranges::sort(entries, {}, &Entry::pts);
  if (std::ranges::adjacent_find(entries, {}, &Entry::pts) != entries.end()) return std::nullopt;
  for (const Entry& entry : entries) {
    index.times_.push_back(entry.pts);
    index.frame_keys_.push_back(entry.key);
  }
  return index;
}

std::optional<std::int64_t> FrameIndex::frame_at(std::int64_t pts) const {
  const auto found = std::ranges::lower_bound(times_, pts);
  if (found == times_.end() || *found != pts) return std::nullopt;
  return found - times_.begin();
}

const FrameIndex::Key& FrameIndex::key_of(std::int64_t frame) const {
  return keys_[frame_keys_[static_cast<std::size_t>(frame)]];
}

std::size_t FrameIndex::bytes() const {
  return times_.capacity() * sizeof(std::int64_t) + frame_keys_.capacity() * sizeof(std::uint32_t) +
         keys_.capacity() * sizeof(Key);
}

}  // namespace tpn
