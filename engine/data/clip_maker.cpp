#include "engine/data/clip_maker.h"

#include <utility>
#include <vector>

#include "kernels/preprocess/color_jitter.h"
#include "kernels/preprocess/mirror.h"
#include "kernels/preprocess/normalize_crop.h"
#include "kernels/preprocess/resize_linear.h"

namespace tpn {
namespace {

/// Turns decoded frames into what the plan asks for.
class FramePreparation {
 public:
  FramePreparation(const ClipPlan& plan) : plan_(plan), resizer_(plan.box.size, plan.resized) {
    for (std::size_t i = 0; i < plan.frames.size(); ++i) images_.emplace_back(plan.resized);
  }

  /// Takes frame `plan.frames[slot]`.
  void take(std::size_t slot, const ImageView& frame) {
    const ImageView part{frame.row(plan_.box.top) + std::ptrdiff_t{3} * plan_.box.left, plan_.box.size,
                         frame.stride};
    const MutableImageView image = images_[slot].view();
    resizer_.run(part, image);
    if (plan_.jitter) cpu::color_jitter(*plan_.jitter, image, image);
    if (plan_.flip) cpu::mirror(image);
  }

  /// (T), in the order of the clip.
  [[nodiscard]] std::vector<ImageView> clip() const {
    std::vector<ImageView> frames;
    frames.reserve(plan_.slots.size());
    for (const std::size_t slot : plan_.slots) frames.push_back(images_[slot].view());
    return frames;
  }

 private:
  const ClipPlan& plan_;
  cpu::LinearResizer resizer_;
  std::vector<Image> images_;
};

}  // namespace

std::shared_ptr<const FrameReader> ClipMaker::open(const Sample& sample, std::size_t index) const {
  if (auto reader = cache_.reader(index)) return reader;
  return cache_.add(index,
                    open_frames(sample.path.string(), options_.decode, options_.raw_frames, sample.frames));
}

std::int64_t ClipMaker::make(const Sample& sample, std::size_t index, const Draws& draws,
                             const TensorView& view) const {
  const std::shared_ptr<const FrameReader> reader = open(sample, index);
  const ClipPlan plan = plan_clip(reader->info(), options_, draws);
  FramePreparation preparation(plan);
  std::vector<std::int64_t> missing;
  std::vector<std::size_t> missing_slots;
  for (std::size_t slot = 0; slot < plan.frames.size(); ++slot) {
    if (const auto frame = cache_.frame(index, plan.frames[slot])) {
      preparation.take(slot, frame->view());
    } else {
      missing.push_back(plan.frames[slot]);
      missing_slots.push_back(slot);
    }
  }
  if (!missing.empty()) {
    reader->read(missing, [&](std::size_t position, const ImageView& frame) {
      preparation.take(missing_slots[position], frame);
      cache_.add(index, missing[position], frame);
    });
  }
  cpu::normalize_crop({options_.sampling.mean, options_.sampling.std, plan.crop.left, plan.crop.top},
                      preparation.clip(), view);
  const auto flipped = options_.flip_labels.find(sample.label);
  return plan.flip && flipped != options_.flip_labels.end() ? flipped->second : sample.label;
}

}  // namespace tpn
