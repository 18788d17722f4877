// Decoded frames to batches of normalised views: all crops of all clips of a batch in one launch, from frames
// that are in the device's memory once, however many views show them.
//
// One thread makes pixels: it reads the up to four source pixels (bytes, through the read-only cache, which
// also serves the neighbours that share them), mixes them in integers, looks the three results up in a table
// of normalised values, and writes the 8 channels in stores of 16 bytes. The table replaces a subtraction, an
// exact division and a rounding per value, and makes the numbers the host's. A block makes a tile of 32 x 32
// pixels; every thread takes four of one column, whose taps it reads once.
//
// There is nothing to share: taps and table stay in the first-level cache (16 bytes per row and column, 1.5
// or 3 KiB), and of a frame that is reduced every byte is read by few threads.
//
// Bytes: 8 elements written per pixel; read, each frame once from memory (3 or 1.5 bytes a pixel) and again
// from the second-level cache for other crops. 30 views of 8 x 256 x 256 from 80 frames of 340 x 256 in bf16:
// 252 MB written, 21 MB read: 0.06 ms at 4.8 TB/s. About 100 integer instructions per pixel of a resized
// frame and 40 of one that keeps its size: 0.05 and 0.02 ms on 132 multiprocessors at 1.7 GHz.
#include <type_traits>

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/make_views.h"
#include "kernels/cuda/stream.h"
#include "kernels/error.h"
#include "kernels/half.h"

namespace tpn::cuda {
namespace {

constexpr int tile_width = 32;
constexpr int tile_height = 32;
constexpr int block_rows = 8;

/// Through the cache for data that no kernel changes meanwhile.
struct ReadOnlyLoad {
  template <class T>
  __device__ __forceinline__ T operator()(const T* from) const {
    if constexpr (std::is_arithmetic_v<T>) {
      return __ldg(from);
    } else {
      T value;
      value.bits = __ldg(&from->bits);
      return value;
    }
  }
};

__device__ __forceinline__ ViewTap load_tap(const ViewTap* from) {
  const int4 tap = __ldg(reinterpret_cast<const int4*>(from));
  return {tap.x, tap.y, tap.z, tap.w};
}

/// Writes 8 channels, three of them not zero. out: aligned to 16 bytes.
template <class T>
__device__ __forceinline__ void store_pixel(T* out, T red, T green, T blue) {
  constexpr int count = vector_size<T>;
  static_assert(count == 4 || count == 8);
  Vector<T, count> first{{red, green, blue}};
  for (int c = 3; c < count; ++c) first[c] = from_float<T>(0);
  store_vector(out, first);
  if constexpr (count == 4) {
    Vector<T, count> zeros;
    for (int c = 0; c < count; ++c) zeros[c] = from_float<T>(0);
    store_vector(out + 4, zeros);
  }
}

/// One column of a tile: rows threadIdx.y, threadIdx.y + 8, ...
template <bool nv12, class T>
__device__ __forceinline__ void make_column(const ViewFrame& frame, const T* values, T* out,
                                            std::int64_t pixel_stride, int top, int height, int width,
                                            int x) {
  const ReadOnlyLoad load;
  const ViewTap column = load_tap(frame.columns + x);
#pragma unroll
  for (int i = 0; i < tile_height / block_rows; ++i) {
    const int y = top + i * block_rows + static_cast<int>(threadIdx.y);
    if (y >= height) return;
    const Rgb pixel = resized_pixel<nv12>(frame, load_tap(frame.rows + y), column, load);
    store_pixel(out + (std::int64_t{y} * width + x) * pixel_stride, load(values + pixel.red),
                load(values + 256 + pixel.green), load(values + 512 + pixel.blue));
  }
}

/// Block (f, j, i) makes the tile in row j, column i of frame f of the batch.
template <class T>
__global__ void __launch_bounds__(tile_width* block_rows)
    make_views_kernel(const ViewFrame* frames, const T* values, T* out, std::int64_t pixel_stride, int height,
                      int width) {
  const int x = static_cast<int>(blockIdx.z) * tile_width + static_cast<int>(threadIdx.x);
  const int top = static_cast<int>(blockIdx.y) * tile_height;
  if (x >= width) return;
  const ViewFrame frame = frames[blockIdx.x];
  T* view = out + std::int64_t{blockIdx.x} * height * width * pixel_stride;
  if (frame.chroma != nullptr) {
    make_column<true>(frame, values, view, pixel_stride, top, height, width, x);
  } else {
    make_column<false>(frame, values, view, pixel_stride, top, height, width, x);
  }
}

template <class T>
void enqueue(const ViewTask& task, cudaStream_t stream) {
  const auto tiles = [](int extent, int tile) { return static_cast<unsigned>((extent + tile - 1) / tile); };
  const LaunchShape shape{
      {static_cast<unsigned>(task.count), tiles(task.height, tile_height), tiles(task.width, tile_width)},
      {tile_width, block_rows}};
  launch("make_views", make_views_kernel<T>, shape, stream, task.frames,
         reinterpret_cast<const T*>(task.values), reinterpret_cast<T*>(task.out), task.pixel_stride,
         task.height, task.width);
}

}  // namespace

void make_views(const ViewTask& task, Stream& stream) {
  switch (task.dtype) {
    case DType::f32:
      return enqueue<float>(task, stream_of(stream));
    case DType::f16:
      return enqueue<F16>(task, stream_of(stream));
    case DType::bf16:
      return enqueue<Bf16>(task, stream_of(stream));
    default:
      throw Error("The device 'cuda' makes no views of " + std::string(name_of(task.dtype)) + ".");
  }
}

}  // namespace tpn::cuda
