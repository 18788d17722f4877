#include "engine/video/raw_frames.h"

#include <algorithm>
#include <utility>

#include "engine/video/frame_converter.h"
#include "engine/video/image_decoder.h"
#include "engine/video/image_series.h"
#include "kernels/error.h"

namespace tpn {
namespace {

/// The picture of an image. Throws Error, naming the file, when it or a part of it cannot be decoded.
DecodedImage decode_whole(ImageDecoder& decoder, const std::filesystem::path& path) {
  Result<DecodedImage> image = decoder.decode(path);
  const std::string why = image ? image->damage : image.failure().message;
  if (!why.empty()) throw Error(path.string() + ": the image cannot be decoded (" + why + ").");
  return *std::move(image);
}

}  // namespace

RawFrames::RawFrames(std::filesystem::path folder, const DecodeOptions& options, const RawFrameNames& names,
                     std::int64_t frames)
    : folder_(std::move(folder)), options_(options), start_index_(names.start_index) {
  std::optional<FramePattern> pattern;
  if (!names.pattern.empty()) pattern.emplace(names.pattern);
  names_ = counted_frames(folder_, find_frames(folder_, pattern).names, pattern, start_index_, frames);
  info_.frames = std::ssize(names_);
  if (info_.frames > options_.max_frames) {
    throw Error(folder_.string() + ": it has more frames than the limit of " +
                std::to_string(options_.max_frames) + ".");
  }
  if (pattern && pattern->has_number()) {
    pattern_ = std::move(pattern);
    names_ = {};
  }
  ImageDecoder decoder(options_.max_pixels);
  const DecodedImage first = decode_whole(decoder, path_of(0));
  info_.size = turned_size(*first.frame, first.orientation);
  info_.codec = "images";
}

std::filesystem::path RawFrames::path_of(std::int64_t frame) const {
  return folder_ /
         (pattern_ ? pattern_->name(start_index_ + frame) : names_[static_cast<std::size_t>(frame)]);
}

void RawFrames::read(std::span<const std::int64_t> indices, const Receiver& receive) const {
  ImageDecoder decoder(options_.max_pixels);
  FrameConverter converter(info_.size, options_.accurate_color);
  for (std::size_t position = 0; position < indices.size(); ++position) {
    const std::filesystem::path path = path_of(indices[position]);
    const DecodedImage image = decode_whole(decoder, path);
    receive(position, converter.convert(*image.frame, image.orientation, path.string()));
  }
}

std::size_t RawFrames::bytes() const {
  std::size_t bytes = sizeof(*this) + folder_.string().size();
  for (const std::string& name : names_) bytes += sizeof(std::string) + name.capacity();
  return bytes;
}

}  // namespace tpn
