#include "kernels/preprocess/resize_linear.h"

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/golden.h"
#include "tests/support/images.h"

namespace tpn {
namespace {

using test::equal_pixels;

Image resized(const ImageView& source, ImageSize size) {
  Image out(size);
  cpu::LinearResizer(source.size, size).run(source, out.view());
  return out;
}

Image resized_by_reference(const ImageView& source, ImageSize size) {
  Image out(size);
  resize_linear_reference(source, out.view());
  return out;
}

TEST(ResizeLinear, EqualsOpenCv) {
  for (const auto& directory : test::golden_directories(TPN_TEST_DATA "/transforms", "TPN_TRANSFORM_DIRS")) {
    const test::Golden golden = test::Golden::load(directory, "resize");
    const auto& cases = golden.record().at("cases");
    ASSERT_FALSE(cases.empty());
    for (const auto& entry : cases) {
      const std::string index = std::to_string(entry.at("index").get<int>());
      const ImageView source = test::image_of(golden.tensor("src." + index));
      const ImageView expected = test::image_of(golden.tensor("dst." + index));
      EXPECT_TRUE(equal_pixels(resized(source, expected.size).view(), expected))
          << directory << " case " << index;
      EXPECT_TRUE(equal_pixels(resized_by_reference(source, expected.size).view(), expected))
          << directory << " case " << index;
    }
  }
}

TEST(ResizeLinear, FastVersionEqualsReferenceForAnySize) {
  std::mt19937 generator(7);  // NOLINT(cert-msc51-cpp): the same cases in every run
  std::uniform_int_distribution<int> side(1, 70);
  for (std::uint32_t i = 0; i < 300; ++i) {
    const ImageSize from{side(generator), side(generator)};
    const ImageSize to = i % 10 == 0   ? ImageSize{(from.width + 1) / 2, (from.height + 1) / 2}
                         : i % 10 == 1 ? from
                                       : ImageSize{side(generator), side(generator)};
    const Image source = test::random_image(from, i);
    EXPECT_TRUE(
        equal_pixels(resized(source.view(), to).view(), resized_by_reference(source.view(), to).view()))
        << from.width << "x" << from.height << " to " << to.width << "x" << to.height;
  }
}

TEST(ResizeLinear, ReadsAndWritesStridedRowsOnly) {
  Image large = test::random_image({30, 20}, 1);
  const ImageView part{large.view().row(3) + 6, {17, 12}, large.view().stride};
  Image dense(part.size);
  for (int y = 0; y < part.size.height; ++y)
    std::memcpy(dense.view().row(y), part.row(y), std::size_t{3} * 17);
  for (const ImageSize size : {ImageSize{17, 12}, ImageSize{9, 25}}) {
    Image canvas = test::random_image({40, 30}, 2);
    const Image before = test::random_image({40, 30}, 2);
    const MutableImageView out{canvas.view().row(1) + 3, size, canvas.view().stride};
    cpu::LinearResizer(part.size, size).run(part, out);
    EXPECT_TRUE(equal_pixels(out, resized(dense.view(), size).view()));
    EXPECT_EQ(std::memcmp(canvas.view().row(1 + size.height), before.view().row(1 + size.height), 120), 0);
    const std::ptrdiff_t end = 3 + std::ptrdiff_t{3} * size.width;
    EXPECT_EQ(std::memcmp(canvas.view().row(1) + end, before.view().row(1) + end, 3), 0);
  }
}

TEST(ResizeLinear, OneResizerServesManyImages) {
  cpu::LinearResizer resizer({12, 9}, {7, 11});
  for (std::uint32_t seed = 0; seed < 3; ++seed) {
    const Image source = test::random_image({12, 9}, seed);
    Image out({7, 11});
    resizer.run(source.view(), out.view());
    EXPECT_TRUE(equal_pixels(out.view(), resized_by_reference(source.view(), {7, 11}).view()));
  }
}

TEST(ResizeLinear, RefusesImagesWithoutPixelsAndWrongSizes) {
  EXPECT_THROW(cpu::LinearResizer({0, 4}, {4, 4}), Error);
  EXPECT_THROW(cpu::LinearResizer({4, 4}, {4, 0}), Error);
  cpu::LinearResizer resizer({4, 4}, {3, 3});
  const Image source({4, 5});
  Image out({3, 3});
  EXPECT_THROW(resizer.run(source.view(), out.view()), Error);
}

}  // namespace
}  // namespace tpn
