#include "engine/recognize/clip_uploads.h"

#include <vector>

namespace tpn {

DeviceFrames& ClipUploads::upload(ViewMaker& maker, int clip) {
  DeviceFrames* frames = nullptr;
  {
    const std::lock_guard lock(mutex_);
    std::unique_ptr<DeviceFrames>& slot = frames_[&maker];
    if (!slot) slot = maker.make_room(clips_->frames, clips_->plan.resized);
    frames = slot.get();
  }
  maker.upload(clips_->frames, clips_->plan.slots_of(clip), *frames);
  return *frames;
}

void ClipUploads::make_views(ViewMaker& maker, std::span<const int> views, const SamplingConfig& sampling,
                             const TensorView& out, std::int64_t pixel_stride, Stream& stream) {
  const ViewPlan& plan = clips_->plan;
  std::vector<DeviceView> made;
  for (const int view : views) {
    const int clip = plan.clip_of(view);
    const std::span<const std::size_t> slots = plan.slots_of(clip);
    const CropOffset crop = plan.crop_of(view);
    made.push_back({&upload(maker, clip), {slots.begin(), slots.end()}, crop.left, crop.top});
  }
  maker.make({sampling.mean, sampling.std}, made, out, pixel_stride, stream);
}

}  // namespace tpn
