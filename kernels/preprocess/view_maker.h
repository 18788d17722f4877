// Makes the views of ops/make_views.h on a device, from frames that are copied there once, whatever the
// number of views that show them.
//
//   decoder -> host_memory() -- upload() --> DeviceFrames -- make(): one kernel --> the network's input
//
// Uploads have a stream of their own, so that they go on while the network computes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "kernels/backend.h"
#include "kernels/buffer_pool.h"
#include "kernels/ops/make_views.h"
#include "kernels/preprocess/frame_store.h"
#include "kernels/preprocess/view_task.h"

namespace tpn {

/// Room in a device's memory for the frames of one video, and how they are resized. No work that reads it may
/// be unfinished when it is destroyed.
class DeviceFrames {
 public:
  [[nodiscard]] const FrameLayout& layout() const { return layout_; }
  [[nodiscard]] ImageSize resized() const { return resized_; }
  [[nodiscard]] std::size_t size() const { return uploaded_.size(); }
  /// A frame; its pointers are the device's.
  [[nodiscard]] FrameView operator[](std::size_t i) const;

 private:
  friend class ViewMaker;
  DeviceFrames(const FrameStore& frames, ImageSize resized, BufferPool& pool);

  [[nodiscard]] const ViewTap* columns() const;
  [[nodiscard]] const ViewTap* rows() const { return columns() + resized_.width; }
  [[nodiscard]] std::size_t taps_bytes() const;

  FrameLayout layout_;
  ImageSize resized_;
  std::size_t step_;
  std::vector<bool> uploaded_;
  std::shared_ptr<const Buffer> memory_;  // taps of the columns, of the rows, frames
};

/// A view to be made: see ViewOfFrames.
struct DeviceView {
  const DeviceFrames* video = nullptr;
  std::vector<std::size_t> frames;  ///< (T) numbers of uploaded frames
  int left = 0;
  int top = 0;
};

/// Thread-safe, but for make().
class ViewMaker {
 public:
  /// Enqueues the backend's kernel.
  using Enqueue = void (*)(const ViewTask& task, Stream& stream);

  /// Must not outlive the backend.
  ViewMaker(const Backend& backend, Enqueue enqueue);

  /// Memory for frames that upload() reads without detours; ordinary memory where there is no more of that.
  /// It is used again when its last owner lets go.
  std::shared_ptr<const Buffer> host_memory(std::size_t bytes);

  /// Room for these frames, of which none is there yet. Throws OutOfMemory.
  std::unique_ptr<DeviceFrames> make_room(const FrameStore& frames, ImageSize resized);
  /// Copies those of the frames with the given numbers that are not there yet, and waits until they are.
  void upload(const FrameStore& frames, std::span<const std::size_t> numbers, DeviceFrames& to);

  /// Enqueues writing views to `out`: (views, T, H, W, C) in the device's memory, pixels `pixel_stride`
  /// elements apart, of which it writes 8. May be called again once that has been done, and the frames must
  /// stay until then. Throws Error as check_make_views() does.
  void make(const Normalization& normalization, std::span<const DeviceView> views, const TensorView& out,
            std::int64_t pixel_stride, Stream& stream);

 private:
  const Backend& backend_;
  Enqueue enqueue_;
  BufferPool host_pool_;
  BufferPool device_pool_;
  std::mutex mutex_;  ///< of uploads
  std::unique_ptr<Stream> uploads_;
  Buffer staging_;  ///< what make() uploads: the table of values, then the frames of the views
  Buffer task_;     ///< its copy on the device
};

/// What a backend's kernel does, one pixel after the other in the host's memory.
void make_views_on_host(const ViewTask& task);

}  // namespace tpn
