#include "engine/data/frame_cache.h"

#include <algorithm>
#include <utility>

namespace tpn {

std::shared_ptr<const FrameReader> FrameCache::reader(std::size_t sample) const {
  const std::lock_guard lock(mutex_);
  return readers_[sample];
}

std::shared_ptr<const Image> FrameCache::frame(std::size_t sample, std::int64_t number) const {
  const std::lock_guard lock(mutex_);
  const auto found = frames_.find({sample, number});
  return found == frames_.end() ? nullptr : found->second;
}

std::shared_ptr<const FrameReader> FrameCache::add(std::size_t sample,
                                                   std::shared_ptr<const FrameReader> reader) {
  const std::lock_guard lock(mutex_);
  if (!readers_[sample]) {
    bytes_ += static_cast<std::int64_t>(reader->bytes());
    readers_[sample] = std::move(reader);
  }
  return readers_[sample];
}

void FrameCache::add(std::size_t sample, std::int64_t number, const ImageView& frame) {
  const std::int64_t size = std::int64_t{3} * frame.size.width * frame.size.height;
  {
    const std::lock_guard lock(mutex_);
    if (bytes_ + size > most_bytes_ || frames_.contains({sample, number})) return;
    bytes_ += size;  // the room is taken before the copy, for which others need not wait
  }
  const auto copy = std::make_shared<Image>(frame.size);
  for (int y = 0; y < frame.size.height; ++y) {
    std::copy_n(frame.row(y), std::ptrdiff_t{3} * frame.size.width, copy->view().row(y));
  }
  const std::lock_guard lock(mutex_);
  if (!frames_.try_emplace({sample, number}, copy).second) bytes_ -= size;
}

std::int64_t FrameCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace tpn
