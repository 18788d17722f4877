// Makes batches of views on a backend, for comparison with the definition.
#pragma once

#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "kernels/backend.h"
#include "kernels/memory.h"
#include "kernels/preprocess/view_maker.h"
#include "tests/support/frames.h"

namespace tpn::test {

inline constexpr Normalization released_normalization{{123.675, 116.28, 103.53}, {58.395, 57.12, 57.375}};

/// A video of random frames and what becomes of it.
struct VideoCase {
  FrameLayout layout;
  ImageSize resized;
};

/// A batch of two views of every video: random frames, one crop in the first corner, one in the last.
struct MakeViewsCase {
  std::vector<VideoCase> videos;
  int view_frames = 2;
  ImageSize crop;
  DType dtype = DType::f32;
  std::int64_t pixel_stride = view_channels;
};

/// How many bytes of the batch differ from the definition's.
inline int wrong_bytes(const Backend& backend, const MakeViewsCase& c) {
  const std::unique_ptr<ViewMaker> maker = backend.make_view_maker();
  const std::unique_ptr<Stream> stream = backend.make_stream();
  std::vector<FrameStore> stores;
  std::vector<std::unique_ptr<DeviceFrames>> videos;
  std::vector<DeviceView> views;
  std::vector<ViewOfFrames> expected_views;
  const auto frames = static_cast<std::size_t>(c.view_frames);
  const std::size_t count = frames + 1;
  for (const VideoCase& video : c.videos) {
    const auto seed = static_cast<std::uint32_t>(stores.size());
    stores.push_back(RawFrames(video.layout, count, seed, 5).store([&](std::size_t bytes) {
      return maker->host_memory(bytes);
    }));
    videos.push_back(maker->make_room(stores.back(), video.resized));
    for (const bool last : {false, true}) {
      DeviceView view;
      view.video = videos.back().get();
      view.left = last ? video.resized.width - c.crop.width : 0;
      view.top = last ? video.resized.height - c.crop.height : 0;
      for (std::size_t t = 0; t < frames; ++t) view.frames.push_back(last ? count - 1 - t : t / 2);
      views.push_back(std::move(view));
    }
  }
  for (std::size_t v = 0; v < views.size(); ++v) {
    const FrameStore& store = stores[v / 2];
    maker->upload(store, views[v].frames, *videos[v / 2]);
    ViewOfFrames expected{{}, c.videos[v / 2].resized, views[v].left, views[v].top};
    for (const std::size_t i : views[v].frames) expected.frames.push_back(store[i]);
    expected_views.push_back(std::move(expected));
  }

  const Shape shape{static_cast<std::int64_t>(views.size()), c.view_frames, c.crop.height, c.crop.width, 3};
  const std::size_t bytes = static_cast<std::size_t>(shape.count() / 3 * c.pixel_stride) * size_of(c.dtype);
  const Buffer device = backend.allocate(bytes);
  const Buffer made = backend.allocate_staging(bytes);
  const HostBuffer expected(bytes);
  for (const std::byte* data : {made.data(), expected.data()}) {
    std::memset(const_cast<std::byte*>(data), 0x5a, bytes);  // between pixels it must stay
  }
  stream->upload(device.data(), made.data(), bytes);
  maker->make(released_normalization, views, {device.data(), c.dtype, shape}, c.pixel_stride, *stream);
  stream->download(made.data(), device.data(), bytes);
  stream->synchronize();
  make_views_reference(released_normalization, expected_views, {expected.data(), c.dtype, shape},
                       c.pixel_stride);
  int wrong = 0;
  for (std::size_t i = 0; i < bytes; ++i) wrong += made.data()[i] != expected.data()[i] ? 1 : 0;
  return wrong;
}

/// Every type and format; sizes that grow, shrink, stay, halve (in one direction or both), odd ones, single
/// pixels; tiles of kernels that are full and cut off; several videos in a batch.
inline std::vector<MakeViewsCase> make_views_cases() {
  std::vector<MakeViewsCase> cases;
  const DType dtypes[]{DType::f32, DType::f16, DType::bf16};
  const std::pair<ImageSize, ImageSize> sizes[]{
      {{37, 29}, {41, 33}}, {{64, 48}, {43, 32}},  {{40, 36}, {40, 36}}, {{66, 44}, {33, 22}},
      {{66, 22}, {33, 22}}, {{33, 44}, {33, 22}},  {{1, 1}, {9, 7}},     {{90, 70}, {1, 1}},
      {{2, 3}, {35, 34}},   {{131, 97}, {48, 35}},
  };
  std::size_t i = 0;
  for (const auto& [source, resized] : sizes) {
    for (const FrameFormat format : all_frame_formats) {
      const ImageSize crop{(resized.width + 1) / 2, (resized.height * 3 + 3) / 4};
      cases.push_back({{{{format, source}, resized}}, 2, crop, dtypes[i % 3], i % 4 == 0 ? 16 : 8});
      ++i;
    }
  }
  cases.push_back({{{{FrameFormat::rgb, {70, 40}}, {70, 40}},
                    {{FrameFormat::nv12_bt709, {50, 81}}, {64, 104}},
                    {{FrameFormat::rgb, {128, 80}}, {64, 40}}},
                   3,
                   {64, 33},
                   DType::bf16,
                   8});
  return cases;
}

}  // namespace tpn::test
