#include "kernels/preprocess/normalize_crop.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/memory.h"
#include "tests/support/golden.h"
#include "tests/support/images.h"

namespace tpn {
namespace {

constexpr NormalizeCrop released{{123.675, 116.28, 103.53}, {58.395, 57.12, 57.375}, 0, 0};

TEST(NormalizeCrop, EqualsTheGoldens) {
  for (const auto& directory : test::golden_directories(TPN_TEST_DATA "/transforms", "TPN_TRANSFORM_DIRS")) {
    const test::Golden golden = test::Golden::load(directory, "normalize");
    const ConstTensorView source = golden.tensor("src");  // (T, H, W, 3)
    const std::int64_t frames = source.shape[0];
    const std::int64_t pixels = source.shape[1] * source.shape[2];
    std::vector<ImageView> images;
    for (std::int64_t t = 0; t < frames; ++t) images.push_back(test::image_of(source, t));
    std::vector<float> out(static_cast<std::size_t>(frames * pixels * 3));
    cpu::normalize_crop(released, images,
                        {reinterpret_cast<std::byte*>(out.data()), DType::f32, source.shape});
    const auto expected = golden.values<float>("dst", DType::f32);  // (3, T, H, W)
    ASSERT_EQ(out.size(), expected.size());
    for (std::int64_t i = 0; i < frames * pixels; ++i) {
      for (std::int64_t c = 0; c < 3; ++c) {
        ASSERT_EQ(out[static_cast<std::size_t>(3 * i + c)],
                  expected[static_cast<std::size_t>(c * frames * pixels + i)])
            << directory << " channel " << c << " position " << i;
      }
    }
  }
}

class NormalizeCropShape : public testing::TestWithParam<std::tuple<DType, int>> {};

TEST_P(NormalizeCropShape, FastVersionEqualsReference) {
  const auto [dtype, channels] = GetParam();
  const std::vector<Image> images = [] {
    std::vector<Image> made;
    for (std::uint32_t t = 0; t < 3; ++t) made.push_back(test::random_image({13, 11}, t));
    return made;
  }();
  const std::vector<ImageView> frames{images[0].view(), images[1].view(), images[2].view()};
  NormalizeCrop attributes = released;
  attributes.left = 4;
  attributes.top = 2;
  const Shape shape{3, 9, 8, channels};
  const HostBuffer fast(static_cast<std::size_t>(shape.count()) * size_of(dtype));
  const HostBuffer slow(fast.bytes());
  cpu::normalize_crop(attributes, frames, {fast.data(), dtype, shape});
  normalize_crop_reference(attributes, frames, {slow.data(), dtype, shape});
  EXPECT_EQ(std::memcmp(fast.data(), slow.data(), fast.bytes()), 0);
}

INSTANTIATE_TEST_SUITE_P(All, NormalizeCropShape,
                         testing::Combine(testing::Values(DType::f32, DType::f16, DType::bf16),
                                          testing::Values(3, 4, 8)));

TEST(NormalizeCrop, CutsAndPadsWhereToldTo) {
  Image image({4, 3});
  for (int y = 0; y < 3; ++y) {
    for (int i = 0; i < 12; ++i) image.view().row(y)[i] = static_cast<std::uint8_t>(20 * y + i);
  }
  const NormalizeCrop attributes{{1, 2, 3}, {2, 4, 8}, 1, 2};
  const ImageView frame = std::as_const(image).view();
  std::vector<float> out(8);
  cpu::normalize_crop(attributes, {&frame, 1},
                      {reinterpret_cast<std::byte*>(out.data()), DType::f32, {1, 1, 2, 4}});
  EXPECT_EQ(out, (std::vector<float>{(43 - 1) / 2.F, (44 - 2) / 4.F, (45 - 3) / 8.F, 0,  //
                                     (46 - 1) / 2.F, (47 - 2) / 4.F, (48 - 3) / 8.F, 0}));
}

TEST(NormalizeCrop, RefusesWhatDoesNotFit) {
  const Image image({8, 8});
  const ImageView frame = image.view();
  std::vector<float> out(192);
  const auto view = [&out](Shape shape, DType dtype = DType::f32) {
    return TensorView{reinterpret_cast<std::byte*>(out.data()), dtype, shape};
  };
  const auto run = [&](int left, int top, const TensorView& to) {
    cpu::normalize_crop({{}, {1, 1, 1}, left, top}, {&frame, 1}, to);
  };
  EXPECT_NO_THROW(run(0, 0, view({1, 8, 8, 3})));
  EXPECT_THROW(run(1, 0, view({1, 8, 8, 3})), Error);
  EXPECT_THROW(run(0, 1, view({1, 8, 8, 3})), Error);
  EXPECT_THROW(run(0, -1, view({1, 4, 4, 3})), Error);
  EXPECT_THROW(run(-1, 0, view({1, 4, 4, 3})), Error);
  EXPECT_NO_THROW(run(4, 4, view({1, 4, 4, 3})));
  EXPECT_THROW(run(5, 4, view({1, 4, 4, 3})), Error);
  EXPECT_THROW(run(4, 5, view({1, 4, 4, 3})), Error);
  EXPECT_THROW(run(0, 0, view({2, 4, 4, 3})), Error);
  EXPECT_THROW(run(0, 0, view({1, 4, 4, 2})), Error);
  EXPECT_THROW(run(0, 0, view({1, 4, 4, 3}, DType::i16)), Error);
}

}  // namespace
}  // namespace tpn
