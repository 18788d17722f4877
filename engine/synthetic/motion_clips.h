// Short clips in which only motion and its tempo tell the class: what the demo's model learns.
//
// A shape moves on a textured background. What a single frame shows - shape, size, place, angle, proportions,
// colours, texture, noise - is drawn independently of the class, and so is a camera that shakes a little;
// each clip's speed varies around its tempo's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/preprocess/image.h"

namespace tpn {

enum class Motion : std::uint8_t { translate, rotate, zoom, shake, circle, swing, stretch };
enum class Tempo : std::uint8_t { slow, fast };

struct MotionClass {
  Motion motion = Motion::translate;
  Tempo tempo = Tempo::slow;

  bool operator==(const MotionClass&) const = default;
};

/// What the demo's model learns: the first four motions, slow and fast.
std::vector<MotionClass> motion_classes();
/// What it can be fine-tuned to: the other three, slow.
std::vector<MotionClass> further_motion_classes();
/// "rotating fast".
std::string name_of(const MotionClass& motion_class);

struct MotionClipOptions {
  ImageSize size{96, 80};
  int frames = 40;
  bool still = false;  ///< the shape stays as it is in the first frame: nothing is left that tells the class
};

/// The frames of a clip, which depend on the class and the seed alone.
std::vector<Image> render_motion_clip(const MotionClass& motion_class, std::uint64_t seed,
                                      const MotionClipOptions& options = {});

}  // namespace tpn
