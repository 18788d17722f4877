#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "kernels/preprocess/frame_store.h"
#include "tests/support/frames.h"
#include "tests/support/images.h"

namespace tpn {
namespace {

struct Standard {
  double red;
  double blue;
  FrameFormat format;
  bool full;
};
constexpr Standard standards[]{{0.299, 0.114, FrameFormat::nv12_bt601, false},
                               {0.299, 0.114, FrameFormat::nv12_bt601_full, true},
                               {0.2126, 0.0722, FrameFormat::nv12_bt709, false},
                               {0.2126, 0.0722, FrameFormat::nv12_bt709_full, true}};

TEST(YuvToRgb, GivesTheStandardsColours) {
  for (const auto& [red, blue, format, full] : standards) {
    const YuvToRgb conversion = yuv_to_rgb(format);
    for (int r = 0; r < 256; r += 15) {
      for (int g = 0; g < 256; g += 15) {
        for (int b = 0; b < 256; b += 15) {
          const double luma = red * r + (1 - red - blue) * g + blue * b;
          const double cb = (b - luma) / (2 - 2 * blue), cr = (r - luma) / (2 - 2 * red);
          const auto coded = [](double x) { return std::min(static_cast<int>(std::lround(x)), 255); };
          const Rgb pixel = full ? to_rgb(conversion, coded(luma), coded(128 + cb), coded(128 + cr))
                                 : to_rgb(conversion, coded(16 + luma * 219 / 255),
                                          coded(128 + cb * 224 / 255), coded(128 + cr * 224 / 255));
          // Half a step of each code, times what it weighs at most.
          ASSERT_NEAR(pixel.red, r, 2);
          ASSERT_NEAR(pixel.green, g, 2);
          ASSERT_NEAR(pixel.blue, b, 2);
        }
      }
    }
  }
}

TEST(YuvToRgb, IsTheRoundedAndClampedFormula) {
  for (const auto& [red, blue, format, full] : standards) {
    const YuvToRgb conversion = yuv_to_rgb(format);
    const double green = 1 - red - blue;
    const double luma_scale = full ? 1 : 255.0 / 219, chroma_scale = full ? 1 : 255.0 / 224;
    for (int y = 0; y < 256; y += 3) {
      for (int cb = 0; cb < 256; cb += 5) {
        for (int cr = 0; cr < 256; cr += 5) {
          const double luma = luma_scale * (y - (full ? 0 : 16));
          const double u = chroma_scale * (cb - 128), v = chroma_scale * (cr - 128);
          const Rgb pixel = to_rgb(conversion, y, cb, cr);
          const auto expect = [](int value, double exact) {
            // Coefficients are rounded to 2^-17, and multiplied by up to 255.
            ASSERT_NEAR(value, std::clamp(exact, 0.0, 255.0), 0.5 + 0.01);
          };
          expect(pixel.red, luma + 2 * (1 - red) * v);
          expect(pixel.green, luma - 2 * (1 - blue) * blue / green * u - 2 * (1 - red) * red / green * v);
          expect(pixel.blue, luma + 2 * (1 - blue) * u);
        }
      }
    }
  }
}

TEST(YuvToRgb, KeepsGreyGrey) {
  for (const auto& standard : standards) {
    std::set<int> seen;
    for (int y = 0; y < 256; ++y) {
      const Rgb pixel = to_rgb(yuv_to_rgb(standard.format), y, 128, 128);
      EXPECT_EQ(pixel.red, pixel.green);
      EXPECT_EQ(pixel.red, pixel.blue);
      if (standard.full) {
        EXPECT_EQ(pixel.red, y);
      }
      seen.insert(pixel.red);
    }
    EXPECT_EQ(*seen.begin(), 0);
    EXPECT_EQ(*seen.rbegin(), 255);
  }
}

TEST(Frame, TakesChromaFromHalfTheCoordinates) {
  const test::RawFrames frames({FrameFormat::nv12_bt601, {7, 5}}, 1, 3, 9);
  const FrameView& frame = frames.views()[0];
  const Image rgb = test::rgb_of(frame);
  for (int y = 0; y < 5; ++y) {
    for (int x = 0; x < 7; ++x) {
      const std::uint8_t* chroma = frame.chroma + (y / 2) * frame.chroma_stride + std::ptrdiff_t{2} * (x / 2);
      const Rgb pixel =
          to_rgb(yuv_to_rgb(frame.format), frame.data[y * frame.stride + x], chroma[0], chroma[1]);
      const std::uint8_t* row = rgb.view().row(y) + std::ptrdiff_t{3} * x;
      EXPECT_EQ(row[0], pixel.red);
      EXPECT_EQ(row[1], pixel.green);
      EXPECT_EQ(row[2], pixel.blue);
    }
  }
}

TEST(FrameStore, HoldsCopiesWithoutGaps) {
  for (const FrameFormat format : {FrameFormat::rgb, FrameFormat::nv12_bt709}) {
    const FrameLayout layout{format, {9, 7}};
    EXPECT_EQ(layout.bytes(), format == FrameFormat::rgb ? 189U : 63U + 40U);
    const test::RawFrames frames(layout, 3, 4, 11);
    const FrameStore store = frames.store();
    ASSERT_EQ(store.size(), 3U);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(store.data(i)) % 64, 0U);
      EXPECT_TRUE(test::equal_pixels(test::rgb_of(store[i]).view(), test::rgb_of(frames.views()[i]).view()));
    }
  }
}

}  // namespace
}  // namespace tpn
