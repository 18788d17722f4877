#include "kernels/preprocess/color_jitter.h"

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "kernels/preprocess/mirror.h"
#include "tests/support/golden.h"
#include "tests/support/images.h"

namespace tpn {
namespace {

using test::equal_pixels;

ColorJitter jitter_of(const nlohmann::json& entry) {
  ColorJitter jitter;
  jitter.brightness = entry.at("brightness");
  jitter.contrast = entry.at("contrast");
  jitter.saturation = entry.at("saturation");
  jitter.hue = entry.at("hue");
  for (std::size_t i = 0; i < 4; ++i)
    jitter.order[i] = JitterStep{entry.at("order").at(i).get<std::uint8_t>()};
  return jitter;
}

/// How far pixels of two images of one size differ.
struct Difference {
  int most = 0;
  double share = 0;  // of the values that differ at all
};

Difference difference(const ImageView& a, const ImageView& b) {
  Difference result;
  const std::ptrdiff_t row = std::ptrdiff_t{3} * a.size.width;
  for (int y = 0; y < a.size.height; ++y) {
    for (std::ptrdiff_t i = 0; i < row; ++i) {
      const int distance = std::abs(a.row(y)[i] - b.row(y)[i]);
      result.most = std::max(result.most, distance);
      result.share += distance > 0 ? 1.0 / static_cast<double>(row * a.size.height) : 0;
    }
  }
  return result;
}

Image jittered(const ColorJitter& jitter, const ImageView& source) {
  Image out(source.size);
  cpu::color_jitter(jitter, source, out.view());
  return out;
}

Image jittered_by_reference(const ColorJitter& jitter, const ImageView& source) {
  Image out(source.size);
  color_jitter_reference(jitter, source, out.view());
  return out;
}

TEST(ColorJitter, EqualsTheGoldensWithinTheirTolerance) {
  for (const auto& directory : test::golden_directories(TPN_TEST_DATA "/transforms", "TPN_TRANSFORM_DIRS")) {
    const test::Golden golden = test::Golden::load(directory, "color_jitter");
    const auto& cases = golden.record().at("cases");
    ASSERT_FALSE(cases.empty());
    for (const auto& entry : cases) {
      const std::string index = std::to_string(entry.at("index").get<int>());
      const ImageView source = test::image_of(golden.tensor("src." + index));
      const ImageView expected = test::image_of(golden.tensor("dst." + index));
      const ColorJitter jitter = jitter_of(entry);
      EXPECT_EQ(turned_hue(100, jitter.hue), 100 + entry.at("hue_offset").get<int>());
      for (const Image& image : {jittered(jitter, source), jittered_by_reference(jitter, source)}) {
        const Difference found = difference(image.view(), expected);
        EXPECT_LE(found.most, entry.at("max_error").get<int>()) << directory << " case " << index;
        // Without hue nothing but the last bit of sums differs; with it the columns that OpenCV rounds do.
        EXPECT_LE(found.share, jitter.hue == 0 ? 0.002 : 0.6) << directory << " case " << index;
      }
    }
  }
}

TEST(ColorJitter, FastVersionIsCloseToTheReference) {
  std::mt19937 generator(3);  // NOLINT(cert-msc51-cpp): the same cases in every run
  std::uniform_real_distribution<double> factor(0.5, 1.5);
  std::uniform_real_distribution<double> turn(-0.1, 0.1);
  for (std::uint32_t i = 0; i < 60; ++i) {
    ColorJitter jitter{factor(generator), factor(generator), factor(generator),
                       i % 3 == 0 ? 0 : turn(generator)};
    std::shuffle(jitter.order.begin(), jitter.order.end(), generator);
    const Image source = test::random_image({1 + static_cast<int>(i), 17}, i);
    const Image image = jittered(jitter, source.view());
    const Difference found = difference(image.view(), jittered_by_reference(jitter, source.view()).view());
    EXPECT_LE(found.most, jitter.hue == 0 ? 1 : 8) << "case " << i;
    EXPECT_LE(found.share, 0.01) << "case " << i;
  }
}

TEST(ColorJitter, WorksInPlaceAndInStridedRows) {
  const ColorJitter jitter{1.2, 0.7, 1.4, 0.07, ColorJitter{}.order};
  Image canvas = test::random_image({30, 20}, 1);
  const MutableImageView part{canvas.view().row(2) + 9, {13, 11}, canvas.view().stride};
  const Image expected = jittered(jitter, part);
  const std::uint8_t before = part.data[-1];
  cpu::color_jitter(jitter, part, part);
  EXPECT_TRUE(equal_pixels(part, expected.view()));
  EXPECT_EQ(part.data[-1], before);
}

TEST(ColorJitter, LeavesPixelsAloneThatNothingChanges) {
  const Image source = test::random_image({9, 7}, 4);
  EXPECT_TRUE(equal_pixels(jittered({}, source.view()).view(), source.view()));
  EXPECT_TRUE(equal_pixels(jittered_by_reference({}, source.view()).view(), source.view()));
}

TEST(ColorJitter, RefusesOtherSizesAndMoreThanHalfATurn) {
  Image out({3, 4});
  EXPECT_THROW(cpu::color_jitter({}, test::random_image({4, 3}, 1).view(), out.view()), Error);
  EXPECT_THROW(cpu::color_jitter({1, 1, 1, 0.6, ColorJitter{}.order}, std::as_const(out).view(), out.view()),
               Error);
}

TEST(Mirror, SwapsLeftAndRightOfOddAndEvenRows) {
  for (const int width : {1, 6, 7}) {
    const Image source = test::random_image({width, 3}, 5);
    Image mirrored = test::random_image({width, 3}, 5);
    cpu::mirror(mirrored.view());
    for (int y = 0; y < 3; ++y) {
      for (int x = 0; x < width; ++x) {
        for (int c = 0; c < 3; ++c) {
          EXPECT_EQ(mirrored.view().row(y)[3 * x + c], source.view().row(y)[3 * (width - 1 - x) + c]);
        }
      }
    }
  }
}

}  // namespace
}  // namespace tpn
