#include "engine/recognize/clip_sources.h"

#include <vector>

#include "kernels/error.h"

namespace tpn {
namespace {

FrameFormat format_of(PixelFormat format) {
  switch (format) {
    case PixelFormat::rgb:
      return FrameFormat::rgb;
    case PixelFormat::nv12_bt601:
      return FrameFormat::nv12_bt601;
    case PixelFormat::nv12_bt601_full:
      return FrameFormat::nv12_bt601_full;
    case PixelFormat::nv12_bt709:
      return FrameFormat::nv12_bt709;
    case PixelFormat::nv12_bt709_full:
      return FrameFormat::nv12_bt709_full;
  }
  throw Error("There is no such pixel format.");
}

}  // namespace

ClipSource source_of(const std::string& input, const ClipLoading& loading) {
  return [input, loading](const ClipEvents& events) {
    return load_clips(input, loading.sampling, loading.counts, loading.decoding, events, loading.keeping);
  };
}

ClipSource source_of(const FrameSequence& frames, const ClipLoading& loading) {
  if (frames.pixels == nullptr || frames.count < 1 || frames.height < 1 || frames.width < 1) {
    throw Error("There are no frames to take clips from.");
  }
  return [frames, loading](const ClipEvents& events) {
    const FrameLayout layout{format_of(frames.format), {frames.width, frames.height}};
    const auto* pixels = reinterpret_cast<const std::byte*>(frames.pixels);
    std::vector<FrameView> views;
    views.reserve(static_cast<std::size_t>(frames.count));
    for (std::size_t i = 0; i < static_cast<std::size_t>(frames.count); ++i) {
      views.push_back(layout.at(pixels + i * layout.bytes()));
    }
    return load_clips(views, loading.sampling, loading.counts, events, loading.keeping);
  };
}

}  // namespace tpn
