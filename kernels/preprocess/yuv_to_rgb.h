// Colour conversion in integers, for the host and devices alike.
#pragma once

#include <cmath>

#include "kernels/host_device.h"

namespace tpn {

/// RGB of luma Y and chroma Cb, Cr, in units of 2^-16, rounded half up and clamped to 0..255:
///   r = luma (Y - black) + red_cr (Cr - 128)
///   g = luma (Y - black) - green_cb (Cb - 128) - green_cr (Cr - 128)
///   b = luma (Y - black) + blue_cb (Cb - 128)
struct YuvToRgb {
  int black = 0;
  int luma = 0;
  int red_cr = 0;
  int green_cb = 0;
  int green_cr = 0;
  int blue_cb = 0;
};

/// The conversion that follows from a standard's shares of red and blue in the luma (ITU-R BT.601 and BT.709:
/// Y = red R + (1 - red - blue) G + blue B, Cb = (B - Y) / (2 - 2 blue), Cr = (R - Y) / (2 - 2 red)).
inline YuvToRgb yuv_to_rgb(double red, double blue, bool full) {
  const auto fixed = [](double x) { return static_cast<int>(std::lround(x * 65536)); };
  const double luma = full ? 1 : 255.0 / 219;
  const double chroma = full ? 1 : 255.0 / 224;
  const double green = 1 - red - blue;
  return {full ? 0 : 16,
          fixed(luma),
          fixed(chroma * 2 * (1 - red)),
          fixed(chroma * 2 * (1 - blue) * blue / green),
          fixed(chroma * 2 * (1 - red) * red / green),
          fixed(chroma * 2 * (1 - blue))};
}

/// A pixel; each value in 0..255.
struct Rgb {
  int red = 0;
  int green = 0;
  int blue = 0;
};

TPN_HOST_DEVICE inline Rgb to_rgb(const YuvToRgb& conversion, int y, int cb, int cr) {
  const auto rounded = [](int value) {
    const int whole = value >> 16;
    return whole < 0 ? 0 : whole > 255 ? 255 : whole;
  };
  const int luma = conversion.luma * (y - conversion.black) + (1 << 15);
  cb -= 128;
  cr -= 128;
  return {rounded(luma + conversion.red_cr * cr),
          rounded(luma - conversion.green_cb * cb - conversion.green_cr * cr),
          rounded(luma + conversion.blue_cb * cb)};
}

}  // namespace tpn
