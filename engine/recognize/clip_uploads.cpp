#include "engine/recognize/clip_uploads.h"

#include <algorithm>
#include <vector>

#include "kernels/error.h"

namespace tpn {

DeviceFrames& ClipUploads::frames_of(ViewMaker& maker) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<DeviceFrames>& frames = frames_[&maker];
  if (!frames) frames = maker.make_room(clips_->frames, clips_->plan.resized);
  return *frames;
}

bool ClipUploads::upload(ViewMaker& maker, int clip) {
  try {
    maker.upload(clips_->frames, clips_->plan.slots_of(clip), frames_of(maker));
    return true;
  } catch (const OutOfMemory&) {
    return false;
  }
}

bool ClipUploads::upload_views(ViewMaker& maker, std::span<const int> views) {
  return std::ranges::all_of(views, [&](int view) { return upload(maker, clips_->plan.clip_of(view)); });
}

void ClipUploads::make_views(ViewMaker& maker, std::span<const int> views, const SamplingConfig& sampling,
                             const TensorView& out, std::int64_t pixel_stride, Stream& stream) {
  const ViewPlan& plan = clips_->plan;
  const DeviceFrames& frames = frames_of(maker);
  std::vector<DeviceView> made;
  for (const int view : views) {
    const std::span<const std::size_t> slots = plan.slots_of(plan.clip_of(view));
    const CropOffset crop = plan.crop_of(view);
    made.push_back({&frames, {slots.begin(), slots.end()}, crop.left, crop.top});
  }
  maker.make({sampling.mean, sampling.std}, made, out, pixel_stride, stream);
}

}  // namespace tpn
