#include "kernels/preprocess/view_maker.h"

#include <algorithm>
#include <utility>

#include "kernels/convert.h"
#include "kernels/error.h"

namespace tpn {
namespace {

void append_taps(int size, int source, TapBorder border, std::vector<ViewTap>& taps) {
  for (const LinearTap& tap : linear_taps(size, source, border)) {
    taps.push_back({tap.first, tap.second, tap.first_weight, tap.second_weight});
  }
}

/// (3, 256) of dtype: what pixel values become.
void write_values(const Normalization& normalization, DType dtype, std::byte* to) {
  std::vector<float> values;
  for (int c = 0; c < 3; ++c) {
    for (int x = 0; x < 256; ++x) {
      values.push_back(normalized_value(normalization, c, static_cast<std::uint8_t>(x)));
    }
  }
  convert(reinterpret_cast<const std::byte*>(values.data()), DType::f32, to, dtype, values.size());
}

constexpr std::size_t values_bytes(DType dtype) {
  return std::size_t{3} * 256 * size_of(dtype);
}

template <class T>
void write_pixels(const ViewTask& task) {
  const auto* values = reinterpret_cast<const T*>(task.values);
  T* out = reinterpret_cast<T*>(task.out);
  for (int i = 0; i < task.count; ++i) {
    const ViewFrame& frame = task.frames[i];
    for (int y = 0; y < task.height; ++y) {
      for (int x = 0; x < task.width; ++x, out += task.pixel_stride) {
        const Rgb pixel = frame.chroma != nullptr
                              ? resized_pixel<true>(frame, frame.rows[y], frame.columns[x], PlainLoad{})
                              : resized_pixel<false>(frame, frame.rows[y], frame.columns[x], PlainLoad{});
        out[0] = values[pixel.red];
        out[1] = values[256 + pixel.green];
        out[2] = values[512 + pixel.blue];
        std::fill(out + 3, out + view_channels, T{0});
      }
    }
  }
}

}  // namespace

std::unique_ptr<ViewMaker> Backend::make_view_maker() const {
  return nullptr;
}

DeviceFrames::DeviceFrames(const FrameStore& frames, ImageSize resized, BufferPool& pool)
    : layout_(frames.layout()), resized_(resized), step_(frames.step()), uploaded_(frames.size()) {
  check_resize(layout_.size, resized);
  memory_ = pool.take(taps_bytes() + frames.size() * step_);
}

FrameView DeviceFrames::operator[](std::size_t i) const {
  return layout_.at(memory_->data() + taps_bytes() + i * step_);
}

const ViewTap* DeviceFrames::columns() const {
  return reinterpret_cast<const ViewTap*>(memory_->data());
}

std::size_t DeviceFrames::taps_bytes() const {
  const std::size_t bytes = static_cast<std::size_t>(resized_.width + resized_.height) * sizeof(ViewTap);
  return (bytes + 255) / 256 * 256;
}

ViewMaker::ViewMaker(const Backend& backend, Enqueue enqueue)
    : backend_(backend),
      enqueue_(enqueue),
      host_pool_([&backend](std::size_t bytes) { return backend.allocate_staging(bytes); }),
      device_pool_([&backend](std::size_t bytes) { return backend.allocate(bytes); }),
      uploads_(backend.make_stream()) {}

std::shared_ptr<const Buffer> ViewMaker::host_memory(std::size_t bytes) {
  try {
    return host_pool_.take(bytes);
  } catch (const OutOfMemory&) {
    return std::make_shared<const HostBuffer>(bytes);
  }
}

std::unique_ptr<DeviceFrames> ViewMaker::make_room(const FrameStore& frames, ImageSize resized) {
  backend_.enter_thread();
  std::unique_ptr<DeviceFrames> room(new DeviceFrames(frames, resized, device_pool_));
  const ImageSize source = frames.layout().size;
  std::vector<ViewTap> taps;
  append_taps(resized.width, source.width, TapBorder::border_pixel, taps);
  append_taps(resized.height, source.height, TapBorder::border_pixel_twice, taps);
  const std::lock_guard lock(mutex_);
  uploads_->upload(room->memory_->data(), reinterpret_cast<const std::byte*>(taps.data()),
                   taps.size() * sizeof(ViewTap));
  uploads_->synchronize();
  return room;
}

void ViewMaker::upload(const FrameStore& frames, std::span<const std::size_t> numbers, DeviceFrames& to) {
  backend_.enter_thread();
  const std::lock_guard lock(mutex_);
  std::byte* first = to.memory_->data() + to.taps_bytes();
  for (const std::size_t i : numbers) {
    if (to.uploaded_[i]) continue;
    uploads_->upload(first + i * to.step_, frames.data(i), to.layout_.bytes());
    to.uploaded_[i] = true;
  }
  uploads_->synchronize();
}

void ViewMaker::make(const Normalization& normalization, std::span<const DeviceView> views,
                     const TensorView& out, std::int64_t pixel_stride, Stream& stream) {
  std::vector<ViewOfFrames> described;
  std::vector<ViewFrame> frames;
  for (const DeviceView& view : views) {
    const DeviceFrames& video = *view.video;
    ViewOfFrames& of_frames = described.emplace_back();
    of_frames.resized = video.resized();
    of_frames.left = view.left;
    of_frames.top = view.top;
    const YuvToRgb conversion = yuv_to_rgb(video.layout().format);
    for (const std::size_t i : view.frames) {
      const FrameView& frame = of_frames.frames.emplace_back(video[i]);
      frames.push_back({frame.data, frame.chroma, frame.stride, frame.chroma_stride,
                        video.columns() + view.left, video.rows() + view.top, conversion});
    }
  }
  check_make_views(described, out, pixel_stride);

  const std::size_t table = values_bytes(out.dtype);
  const std::size_t bytes = table + frames.size() * sizeof(ViewFrame);
  if (staging_.bytes() < bytes) {
    staging_ = backend_.allocate_staging(bytes);
    task_ = backend_.allocate(bytes);
  }
  write_values(normalization, out.dtype, staging_.data());
  std::copy(frames.begin(), frames.end(), reinterpret_cast<ViewFrame*>(staging_.data() + table));
  stream.upload(task_.data(), staging_.data(), bytes);

  ViewTask task;
  task.frames = reinterpret_cast<const ViewFrame*>(task_.data() + table);
  task.values = task_.data();
  task.out = out.data;
  task.dtype = out.dtype;
  task.pixel_stride = pixel_stride;
  task.count = static_cast<int>(frames.size());
  task.height = static_cast<int>(out.shape[2]);
  task.width = static_cast<int>(out.shape[3]);
  enqueue_(task, stream);
}

void make_views_on_host(const ViewTask& task) {
  switch (task.dtype) {
    case DType::f32:
      return write_pixels<float>(task);
    case DType::f16:
    case DType::bf16:
      return write_pixels<std::uint16_t>(task);
    default:
      throw Error("No views of " + std::string(name_of(task.dtype)) + " can be made.");
  }
}

}  // namespace tpn
