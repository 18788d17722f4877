#include <gtest/gtest.h>

#include "kernels/cuda/cuda_backend.h"
#include "tests/support/make_views_case.h"

namespace tpn {
namespace {

TEST(CudaMakeViews, EqualsTheDefinition) {
  const CudaBackend device;
  for (const test::MakeViewsCase& c : test::make_views_cases()) {
    const auto& [layout, resized] = c.videos[0];
    EXPECT_EQ(test::wrong_bytes(device, c), 0)
        << layout.size.width << "x" << layout.size.height << " of format " << static_cast<int>(layout.format)
        << " to " << resized.width << "x" << resized.height << " in " << name_of(c.dtype);
  }
}

TEST(CudaMakeViews, RefusesCropsOutsideOfTheFrame) {
  const CudaBackend device;
  const std::unique_ptr<ViewMaker> maker = device.make_view_maker();
  const std::unique_ptr<Stream> stream = device.make_stream();
  const FrameStore frames = test::RawFrames({FrameFormat::rgb, {8, 8}}, 1, 1).store();
  const std::unique_ptr<DeviceFrames> video = maker->make_room(frames, {8, 8});
  const DeviceView view{video.get(), {0}, 4, 0};
  const Buffer out = device.allocate(64 * 8 * sizeof(float));
  EXPECT_THROW(maker->make(test::released_normalization, {&view, 1},
                           {out.data(), DType::f32, {1, 1, 8, 8, 3}}, 8, *stream),
               Error);
}

}  // namespace
}  // namespace tpn
