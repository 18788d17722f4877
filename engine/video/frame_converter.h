// Decoded frames to RGB images.
#pragma once

#include <cstddef>
#include <string>

#include "engine/video/ffmpeg.h"
#include "engine/video/orientation.h"
#include "kernels/preprocess/image.h"

namespace tpn {

/// Bytes from one row of RGB pixels to the next where swscale reads or writes them: its vector code works on
/// whole groups of pixels and may go beyond the end of a row.
std::ptrdiff_t padded_stride(int width);

/// Size of a frame after turning it.
ImageSize turned_size(const AVFrame& frame, const Orientation& orientation);

/// Converts frames to RGB of one size; a frame of another size is scaled to it. One thread at a time.
class FrameConverter {
 public:
  FrameConverter(ImageSize size, bool accurate_color) : size_(size), accurate_color_(accurate_color) {}

  /// The picture, turned; valid until the next call and, of a frame in RGB, as long as this is. Throws Error
  /// when the pixel format cannot be converted.
  ImageView convert(const AVFrame& frame, const Orientation& orientation);

  /// The same; an Error begins with `name`.
  ImageView convert(const AVFrame& frame, const Orientation& orientation, const std::string& name);

  /// Whether any frame had another size.
  [[nodiscard]] bool rescaled() const { return rescaled_; }

 private:
  /// What a scaler depends on.
  struct Conversion {
    ImageSize from;
    ImageSize to;
    int format = -1;
    int color_space = -1;
    int color_range = -1;
    bool operator==(const Conversion&) const = default;
  };
  void prepare_scaler(const Conversion& conversion);
  ImageView finish(const ImageView& picture, const Orientation& orientation);

  ImageSize size_;
  bool accurate_color_;
  bool rescaled_ = false;
  Conversion conversion_;
  ffmpeg::Scaler scaler_;
  HostBuffer picture_;  // as decoded, rows padded
  Image turned_;
};

}  // namespace tpn
