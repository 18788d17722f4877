#include "engine/video/frame_converter.h"

extern "C" {
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
}

#include <array>
#include <cstddef>
#include <string>
#include <utility>

#include "kernels/error.h"

namespace tpn {

std::ptrdiff_t padded_stride(int width) {
  return (std::ptrdiff_t{3} * width + 63) / 64 * 64 + 64;
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
  if (from == to && frame.format == AV_PIX_FMT_RGB24) {
    return finish({frame.data[0], from, frame.linesize[0]}, orientation);
  }
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
  return finish(picture, orientation);
}

ImageView FrameConverter::convert(const AVFrame& frame, const Orientation& orientation,
                                  const std::string& name) {
  try {
    return convert(frame, orientation);
  } catch (const Error& error) {
    throw Error(name + ": " + error.what());
  }
}

ImageView FrameConverter::finish(const ImageView& picture, const Orientation& orientation) {
  if (orientation == Orientation{}) return picture;
  if (turned_.size() != size_) turned_ = Image(size_);
  turn(picture, orientation, turned_.view());
  return std::as_const(turned_).view();
}

}  // namespace tpn
