#include "engine/synthetic/motion_clips.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>
#include <span>

#include <gtest/gtest.h>

namespace tpn {
namespace {

std::span<const std::uint8_t> bytes(const Image& image) {
  return {image.view().data, static_cast<std::size_t>(image.view().stride) * image.view().size.height};
}

/// The mean absolute difference of two frames.
double change(const Image& a, const Image& b) {
  double sum = 0;
  for (std::size_t i = 0; i < bytes(a).size(); ++i) sum += std::abs(bytes(a)[i] - bytes(b)[i]);
  return sum / static_cast<double>(bytes(a).size());
}

TEST(MotionClips, DependOnClassAndSeedAlone) {
  const MotionClass shaking{Motion::shake, Tempo::fast};
  const MotionClipOptions options{.size = {48, 40}, .frames = 4};
  const auto a = render_motion_clip(shaking, 5, options), b = render_motion_clip(shaking, 5, options);
  ASSERT_EQ(a.size(), 4U);
  EXPECT_EQ(a[0].view().size, options.size);
  for (std::size_t t = 0; t < a.size(); ++t) EXPECT_TRUE(std::ranges::equal(bytes(a[t]), bytes(b[t])));
  EXPECT_GT(change(a[0], render_motion_clip(shaking, 6, options)[0]), 1);
}

TEST(MotionClips, HaveNames) {
  std::set<std::string> names;
  for (const MotionClass& motion_class : motion_classes()) names.insert(name_of(motion_class));
  EXPECT_EQ(names.size(), 8U);
  for (const MotionClass& motion_class : further_motion_classes()) names.insert(name_of(motion_class));
  EXPECT_EQ(names.size(), 11U);
  EXPECT_EQ(name_of({Motion::zoom, Tempo::slow}), "zooming slowly");
}

/// The first frame is the same whatever moves, so that it cannot tell the class; what follows is not.
TEST(MotionClips, TellTheClassByMotionAlone) {
  const MotionClipOptions options{.size = {48, 40}, .frames = 9};
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    const auto still = render_motion_clip({Motion::translate, Tempo::slow}, seed, options);
    std::vector<MotionClass> classes = motion_classes();
    std::ranges::copy(further_motion_classes(), std::back_inserter(classes));
    for (const MotionClass& motion_class : classes) {
      const auto clip = render_motion_clip(motion_class, seed, options);
      EXPECT_TRUE(std::ranges::equal(bytes(clip[0]), bytes(still[0]))) << name_of(motion_class) << seed;
      if (!(motion_class == MotionClass{Motion::translate, Tempo::slow})) {
        EXPECT_GT(change(clip[8], still[8]), 0.1) << name_of(motion_class) << seed;
      }
    }
  }
}

TEST(MotionClips, MayBeStill) {
  const auto still = [](Motion motion) {
    return render_motion_clip({motion, Tempo::fast}, 5, {.size = {48, 40}, .frames = 3, .still = true});
  };
  const auto rotating = still(Motion::rotate), zooming = still(Motion::zoom);
  for (std::size_t t = 0; t < 3; ++t) {
    EXPECT_TRUE(std::ranges::equal(bytes(rotating[t]), bytes(zooming[t]))) << t;
  }
}

/// On average over clips, more changes from one frame to the next where the tempo is fast.
TEST(MotionClips, AreFasterWhereTheirNameSaysSo) {
  const MotionClipOptions options{.size = {48, 40}, .frames = 3};
  for (const Motion motion : {Motion::translate, Motion::rotate, Motion::zoom, Motion::shake}) {
    double slow = 0, fast = 0;
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      const auto changes = [&](Tempo tempo) {
        const auto clip = render_motion_clip({motion, tempo}, seed, options);
        return change(clip[0], clip[2]);
      };
      slow += changes(Tempo::slow);
      fast += changes(Tempo::fast);
    }
    EXPECT_GT(fast, 1.2 * slow) << static_cast<int>(motion);
  }
}

}  // namespace
}  // namespace tpn
