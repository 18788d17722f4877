#include "engine/video/frame_converter.h"

extern "C" {
#include <libavutil/display.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
}

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>

#include "kernels/error.h"

namespace tpn {
namespace {

// swscale's vector code works on whole groups of pixels and may write beyond the end of a row.
std::ptrdiff_t padded_stride(int width) {
  return (std::ptrdiff_t{3} * width + 63) / 64 * 64 + 64;
}

void turn(const ImageView& from, const Orientation& orientation, const MutableImageView& to) {
  constexpr int tile = 32;  // keeps the columns that a transposition walks along in the cache
  for (int y0 = 0; y0 < to.size.height; y0 += tile) {
    for (int x0 = 0; x0 < to.size.width; x0 += tile) {
      for (int y = y0; y < std::min(y0 + tile, to.size.height); ++y) {
        const int v = orientation.mirror_y ? to.size.height - 1 - y : y;
        std::uint8_t* out = to.row(y) + std::ptrdiff_t{3} * x0;
        for (int x = x0; x < std::min(x0 + tile, to.size.width); ++x, out += 3) {
          const int u = orientation.mirror_x ? to.size.width - 1 - x : x;
          const std::uint8_t* in = orientation.transpose ? from.row(u) + std::ptrdiff_t{3} * v
                                                         : from.row(v) + std::ptrdiff_t{3} * u;
          std::memcpy(out, in, 3);
        }
      }
    }
  }
}

}  // namespace

DisplayMatrix parse_display_matrix(const std::int32_t* matrix) {
  const double counterclockwise = av_display_rotation_get(matrix);
  if (std::isnan(counterclockwise)) return {{}, true};
  // Clockwise, in (-0.9, 359.1].
  double theta = -std::round(counterclockwise);
  theta -= 360 * std::floor(theta / 360 + 0.9 / 360);
  const auto is = [theta](double angle) { return std::abs(theta - angle) < 1; };
  if (is(90)) return {{true, matrix[3] <= 0, false}, false};
  if (is(180)) return {{false, matrix[0] < 0, matrix[4] < 0}, false};
  if (is(270)) return {{true, matrix[3] < 0, true}, false};
  if (is(0)) return {{false, false, matrix[4] < 0}, false};
  return {{}, true};
}

ImageSize turned_size(const AVFrame& frame, const Orientation& orientation) {
  if (orientation.transpose) return {frame.height, frame.width};
  return {frame.width, frame.height};
}

void FrameConverter::prepare_scaler(const Conversion& conversion) {
  if (scaler_ && conversion == conversion_) return;
  const auto set = [this](const char* option, std::int64_t value) {
    return av_opt_set_int(scaler_.get(), option, value, 0) >= 0;
  };
  constexpr int accurate = SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_BITEXACT;
  // Chroma of 4:2:0 lies halfway between two rows by convention; swscale by itself takes it to lie on the
  // upper one.
  constexpr int unspecified_position = -513;
  const int vertical_chroma = conversion.format == AV_PIX_FMT_YUV420P ? 128 : unspecified_position;
  scaler_.reset(sws_alloc_context());
  const bool accepted = scaler_ && set("sws_flags", SWS_BICUBIC | (accurate_color_ ? accurate : 0)) &&
                        set("srcw", conversion.from.width) && set("srch", conversion.from.height) &&
                        set("src_format", conversion.format) && set("dstw", conversion.to.width) &&
                        set("dsth", conversion.to.height) && set("dst_format", AV_PIX_FMT_RGB24) &&
                        set("src_v_chr_pos", vertical_chroma) &&
                        sws_init_context(scaler_.get(), nullptr, nullptr) >= 0;
  if (!accepted) {
    scaler_.reset();
    const char* name = av_get_pix_fmt_name(static_cast<AVPixelFormat>(conversion.format));
    throw Error("Pictures of pixel format " + std::string(name != nullptr ? name : "unknown") + " and " +
                std::to_string(conversion.from.width) + "x" + std::to_string(conversion.from.height) +
                " pixels cannot be converted to RGB.");
  }
  int* coefficients = nullptr;
  int* out_coefficients = nullptr;
  int full_range = 0;
  int out_full_range = 0;
  int brightness = 0;
  int contrast = 0;
  int saturation = 0;
  // It fails for formats without such details, which need none set either.
  if (sws_getColorspaceDetails(scaler_.get(), &coefficients, &full_range, &out_coefficients, &out_full_range,
                               &brightness, &contrast, &saturation) >= 0) {
    if (conversion.color_range != AVCOL_RANGE_UNSPECIFIED) {
      full_range = conversion.color_range == AVCOL_RANGE_JPEG ? 1 : 0;
    }
    const bool known_space = conversion.color_space >= AVCOL_SPC_BT709 &&
                             conversion.color_space <= AVCOL_SPC_BT2020_CL &&
                             conversion.color_space != AVCOL_SPC_YCGCO;
    sws_setColorspaceDetails(
        scaler_.get(), sws_getCoefficients(known_space ? conversion.color_space : AVCOL_SPC_UNSPECIFIED),
        full_range, out_coefficients, out_full_range, brightness, contrast, saturation);
  }
  conversion_ = conversion;
}

ImageView FrameConverter::convert(const AVFrame& frame, const Orientation& orientation) {
  const ImageSize from{frame.width, frame.height};
  const ImageSize to = orientation.transpose ? ImageSize{size_.height, size_.width} : size_;
  if (from != to) rescaled_ = true;
  prepare_scaler({from, to, frame.format, frame.colorspace, frame.color_range});

  const std::ptrdiff_t stride = padded_stride(to.width);
  const std::size_t bytes = static_cast<std::size_t>(stride) * static_cast<std::size_t>(to.height);
  if (picture_.bytes() < bytes) picture_ = HostBuffer(bytes);
  const ImageView picture{reinterpret_cast<std::uint8_t*>(picture_.data()), to, stride};
  const std::array<std::uint8_t*, 4> planes{reinterpret_cast<std::uint8_t*>(picture_.data())};
  const std::array<int, 4> strides{static_cast<int>(stride)};
  const int rows =
      sws_scale(scaler_.get(), frame.data, frame.linesize, 0, frame.height, planes.data(), strides.data());
  if (rows != to.height) throw Error("A decoded picture could not be converted to RGB.");

  if (orientation == Orientation{}) return picture;
  if (turned_.size() != size_) turned_ = Image(size_);
  turn(picture, orientation, turned_.view());
  return std::as_const(turned_).view();
}

}  // namespace tpn
