#include "kernels/ops/make_views.h"

#include <gtest/gtest.h>

#include "kernels/half.h"
#include "kernels/preprocess/normalize_crop.h"
#include "kernels/preprocess/resize_linear.h"
#include "kernels/reference_backend.h"
#include "tests/support/make_views_case.h"

namespace tpn {
namespace {

TEST(MakeViews, GivesTheNumbersOfTheCpu) {
  const test::RawFrames raw({FrameFormat::nv12_bt601, {50, 37}}, 2, 1);
  const ImageSize resized{43, 32};
  const ViewOfFrames view{raw.views(), resized, 5, 3};
  std::vector<Image> images;
  std::vector<ImageView> frames;
  frames.reserve(raw.views().size());
  for (const FrameView& frame : raw.views()) {
    const Image rgb = test::rgb_of(frame);
    cpu::LinearResizer(frame.size, resized).run(rgb.view(), images.emplace_back(resized).view());
  }
  for (const Image& image : images) frames.push_back(image.view());
  for (const DType dtype : {DType::f32, DType::bf16}) {
    const HostBuffer expected(std::size_t{2} * 21 * 30 * 8 * size_of(dtype)), made(expected.bytes());
    cpu::normalize_crop({test::released_normalization.mean, test::released_normalization.std, 5, 3}, frames,
                        {expected.data(), dtype, {2, 21, 30, 8}});
    make_views_reference(test::released_normalization, {&view, 1}, {made.data(), dtype, {1, 2, 21, 30, 3}},
                         8);
    EXPECT_EQ(std::memcmp(expected.data(), made.data(), made.bytes()), 0);
  }
}

TEST(MakeViews, RoundsToF16Once) {
  const test::RawFrames raw({FrameFormat::rgb, {4, 4}}, 1, 2);
  const ViewOfFrames view{raw.views(), {4, 4}, 0, 0};
  std::vector<float> floats(std::size_t{16} * 8);
  std::vector<std::uint16_t> halves(floats.size());
  const auto make = [&](void* to, DType dtype) {
    make_views_reference(test::released_normalization, {&view, 1},
                         {static_cast<std::byte*>(to), dtype, {1, 1, 4, 4, 3}}, 8);
  };
  make(floats.data(), DType::f32);
  make(halves.data(), DType::f16);
  for (std::size_t i = 0; i < floats.size(); ++i) EXPECT_EQ(halves[i], f32_to_f16(floats[i]));
}

TEST(MakeViews, TapsDoTheSpecialCasesOfResizing) {
  const ReferenceBackend device(view_channels);
  for (const test::MakeViewsCase& c : test::make_views_cases()) {
    EXPECT_EQ(test::wrong_bytes(device, c), 0)
        << c.videos[0].layout.size.width << "x" << c.videos[0].layout.size.height << " to "
        << c.videos[0].resized.width << "x" << c.videos[0].resized.height;
  }
}

TEST(MakeViews, RefusesWhatDoesNotFit) {
  const test::RawFrames raw({FrameFormat::rgb, {8, 8}}, 2, 2), other({FrameFormat::rgb, {9, 8}}, 1, 2);
  std::vector<float> out(1024);
  const auto run = [&](const ViewOfFrames& view, const Shape& shape, std::int64_t stride = 8,
                       DType dtype = DType::f32) {
    make_views_reference(test::released_normalization, {&view, 1},
                         {reinterpret_cast<std::byte*>(out.data()), dtype, shape}, stride);
  };
  const ViewOfFrames view{raw.views(), {8, 8}, 0, 0};
  EXPECT_NO_THROW(run(view, {1, 2, 8, 8, 3}));
  EXPECT_THROW(run(view, {2, 2, 4, 4, 3}), Error);
  EXPECT_THROW(run(view, {1, 3, 4, 4, 3}), Error);
  EXPECT_THROW(run(view, {1, 2, 4, 4, 2}), Error);
  EXPECT_THROW(run(view, {1, 2, 4, 4, 3}, 4), Error);
  EXPECT_THROW(run(view, {1, 2, 4, 4, 3}, 8, DType::i32), Error);
  EXPECT_THROW(run({raw.views(), {8, 8}, 5, 0}, {1, 2, 4, 4, 3}), Error);
  EXPECT_THROW(run({raw.views(), {0, 8}, 0, 0}, {1, 2, 4, 4, 3}), Error);
  EXPECT_THROW(run({{raw.views()[0], other.views()[0]}, {8, 8}, 0, 0}, {1, 2, 4, 4, 3}), Error);
}

TEST(ViewMaker, UploadsAFrameOnce) {
  const ReferenceBackend device(view_channels);
  const std::unique_ptr<ViewMaker> maker = device.make_view_maker();
  FrameStore frames = test::RawFrames({FrameFormat::rgb, {4, 3}}, 3, 1).store();
  const std::unique_ptr<DeviceFrames> there = maker->make_room(frames, {8, 6});
  const std::vector<std::size_t> first{0, 2}, all{0, 1, 2};
  maker->upload(frames, first, *there);
  const FrameStore before = test::RawFrames({FrameFormat::rgb, {4, 3}}, 3, 1).store();
  for (std::size_t i = 0; i < 3; ++i) std::memset(frames.data(i), 7, frames.layout().bytes());
  maker->upload(frames, all, *there);
  for (const std::size_t i : all) {
    EXPECT_EQ(std::memcmp((*there)[i].data, i == 1 ? frames.data(i) : before.data(i), 36), 0) << i;
  }
}

TEST(ViewMaker, UsesMemoryAgain) {
  const ReferenceBackend device(view_channels);
  std::unique_ptr<ViewMaker> maker = device.make_view_maker();
  const std::byte* first = maker->host_memory(1000)->data();
  const std::shared_ptr<const Buffer> again = maker->host_memory(900);
  EXPECT_EQ(again->data(), first);
  EXPECT_NE(maker->host_memory(900)->data(), first);
  maker = nullptr;
  std::memset(again->data(), 1, 1000);  // it lives as long as it is held
}

}  // namespace
}  // namespace tpn
