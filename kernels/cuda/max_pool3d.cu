// max_pool3d: the maximum over (t, h, w) windows; cells outside of the input do not count.
//
// Two kernels, both a thread to vectors of 16 bytes, whose maxima are exact in f32:
//   plain  any window: one vector of y, reading its whole window.
//   stem   windows of (1,3,3) every (1,2,2) with padding (0,1,1), as after the first convolution of the
//          networks: 2 x 2 vectors of y, for which 5 x 5 vectors of x are read instead of 4 x 9 (6.25 reads
//          for each instead of 9; the caches serve all but 4 of them). With (8,128,128,64) in bf16 it reads
//          16.8 MB and writes 4.2 MB a view, and compares 9 M pairs: the time is that of the memory traffic.
#include "kernels/cuda/compile.h"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/ops/max_pool3d.h"

namespace tpn::cuda {
namespace {

/// best = max(best, x), element by element; NaN stays.
template <class T, int Count>
__device__ __forceinline__ void take_max(float (&best)[Count], const Vector<T, Count>& x) {
#pragma unroll
  for (int e = 0; e < Count; ++e) best[e] = larger(best[e], to_float(x[e]));
}

template <int Count>
__device__ __forceinline__ void clear_max(float (&best)[Count]) {
#pragma unroll
  for (int e = 0; e < Count; ++e) best[e] = -INFINITY;
}

template <class T, int Count>
__device__ __forceinline__ Vector<T, Count> rounded(const float (&values)[Count]) {
  Vector<T, Count> result;
#pragma unroll
  for (int e = 0; e < Count; ++e) result[e] = from_float<T>(values[e]);
  return result;
}

struct PoolShape {
  Divisor frames, rows, columns;  ///< T', H', W' of y
  int in_frames = 0, in_rows = 0, in_columns = 0;
  int kernel_t = 1, kernel_h = 1, kernel_w = 1;
  int stride_t = 1, stride_h = 1, stride_w = 1;
  int padding_t = 0, padding_h = 0, padding_w = 0;
  std::int64_t x_stride = 0;
};

/// x: (N,T,H,W,C), y: (N,T',H',W',C).
template <class T>
__global__ void __launch_bounds__(256, 4)
    max_pool3d_plain(const T* x, T* y, Vectors<T> vectors, PoolShape s) {
  constexpr int size = vector_size<T>;
  for_each_index(vectors.count, [&](std::uint32_t i) {
    const auto [pixel, channel] = vectors.place(i);
    const auto [row_index, column] = s.columns.divide(pixel);
    const auto [frame_index, row] = s.rows.divide(row_index);
    const auto [view, frame] = s.frames.divide(frame_index);
    const int t = static_cast<int>(frame) * s.stride_t - s.padding_t,
              h = static_cast<int>(row) * s.stride_h - s.padding_h,
              w = static_cast<int>(column) * s.stride_w - s.padding_w;
    float best[size];
    clear_max(best);
    for (int a = max(t, 0); a < min(t + s.kernel_t, s.in_frames); ++a) {
      for (int b = max(h, 0); b < min(h + s.kernel_h, s.in_rows); ++b) {
        for (int c = max(w, 0); c < min(w + s.kernel_w, s.in_columns); ++c) {
          const std::int64_t cell =
              ((static_cast<std::int64_t>(view) * s.in_frames + a) * s.in_rows + b) * s.in_columns + c;
          take_max(best, load_vector<size>(x + cell * s.x_stride + channel));
        }
      }
    }
    store_vector(y + pixel * vectors.stride + channel, rounded<T>(best));
  });
}

struct StemShape {
  std::uint32_t count = 0;  ///< threads: 2 x 2 tiles of y, times vectors
  Divisor vectors;          ///< in a pixel
  Divisor tile_rows, tile_columns;
  int in_rows = 0, in_columns = 0, rows = 0, columns = 0;
  std::int64_t x_stride = 0, y_stride = 0;
};

/// x: (frames,H,W,C), y: (frames,H',W',C).
template <class T>
__global__ void __launch_bounds__(256) max_pool3d_stem(const T* x, T* y, StemShape s) {
  constexpr int size = vector_size<T>;
  for_each_index(s.count, [&](std::uint32_t i) {
    const auto [tile, vector] = s.vectors.divide(i);
    const auto [tile_row_index, tile_column] = s.tile_columns.divide(tile);
    const auto [frame, tile_row] = s.tile_rows.divide(tile_row_index);
    const int channel = static_cast<int>(vector) * size;
    const int row = static_cast<int>(tile_row) * 2, column = static_cast<int>(tile_column) * 2;
    const T* from = x + static_cast<std::int64_t>(frame) * s.in_rows * s.in_columns * s.x_stride + channel;
    T* to = y + static_cast<std::int64_t>(frame) * s.rows * s.columns * s.y_stride + channel;

    float best[2][2][size];  // of the outputs (row + i, column + j)
#pragma unroll
    for (int j = 0; j < 4; ++j) clear_max(best[j / 2][j % 2]);
#pragma unroll
    for (int a = 0; a < 5; ++a) {
      const int b = 2 * row - 1 + a;
      if (b < 0 || b >= s.in_rows) continue;
#pragma unroll
      for (int c = 0; c < 5; ++c) {
        const int d = 2 * column - 1 + c;
        if (d < 0 || d >= s.in_columns) continue;
        const auto value =
            load_vector<size>(from + (static_cast<std::int64_t>(b) * s.in_columns + d) * s.x_stride);
        if (a <= 2 && c <= 2) take_max(best[0][0], value);
        if (a <= 2 && c >= 2) take_max(best[0][1], value);
        if (a >= 2 && c <= 2) take_max(best[1][0], value);
        if (a >= 2 && c >= 2) take_max(best[1][1], value);
      }
    }
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int b = row + j / 2, d = column + j % 2;
      if (b >= s.rows || d >= s.columns) continue;
      store_vector(to + (static_cast<std::int64_t>(b) * s.columns + d) * s.y_stride,
                   rounded<T>(best[j / 2][j % 2]));
    }
  });
}

Divisor divisor(std::int64_t value) {
  return Divisor(static_cast<std::uint32_t>(value));
}

template <class T>
std::unique_ptr<Kernel> plain(const ops::MaxPool3d& op, const ActivationLayout& x,
                              const ActivationLayout& y) {
  const auto extent = [](const ops::Extent3& e, std::size_t axis) { return static_cast<int>(e[axis]); };
  PoolShape shape{divisor(y.t), divisor(y.h), divisor(y.w), x.t, x.h, x.w};
  shape.kernel_t = extent(op.kernel, 0);
  shape.kernel_h = extent(op.kernel, 1);
  shape.kernel_w = extent(op.kernel, 2);
  shape.stride_t = extent(op.stride, 0);
  shape.stride_h = extent(op.stride, 1);
  shape.stride_w = extent(op.stride, 2);
  shape.padding_t = extent(op.padding, 0);
  shape.padding_h = extent(op.padding, 1);
  shape.padding_w = extent(op.padding, 2);
  shape.x_stride = x.stride;
  const KernelDescription description{.implementation = "plain",
                                      .work = {.bytes = x.bytes(sizeof(T)) + y.bytes(sizeof(T))}};
  return launch_kernel(description, [shape, vectors = Vectors<T>(y)](auto in, auto out, cudaStream_t stream) {
    launch("max_pool3d_plain", max_pool3d_plain<T>, one_thread_each(vectors.count), stream,
           aligned_elements<T>(in[0]), aligned_elements<T>(out[0]), vectors, shape);
  });
}

template <class T>
std::unique_ptr<Kernel> stem(const ActivationLayout& x, const ActivationLayout& y) {
  const int tile_rows = (y.h + 1) / 2, tile_columns = (y.w + 1) / 2;
  const int vectors = y.padded_channels() / vector_size<T>;
  const StemShape shape{static_cast<std::uint32_t>(y.n * y.t * tile_rows * tile_columns * vectors),
                        divisor(vectors),
                        divisor(tile_rows),
                        divisor(tile_columns),
                        x.h,
                        x.w,
                        y.h,
                        y.w,
                        x.stride,
                        y.stride};
  const KernelDescription description{.implementation = "stem_2x2",
                                      .work = {.bytes = x.bytes(sizeof(T)) + y.bytes(sizeof(T))}};
  return launch_kernel(description, [shape](auto in, auto out, cudaStream_t stream) {
    launch("max_pool3d_stem", max_pool3d_stem<T>, one_thread_each(shape.count), stream,
           aligned_elements<T>(in[0]), aligned_elements<T>(out[0]), shape);
  });
}

}  // namespace

std::vector<std::unique_ptr<Kernel>> candidates(const ops::MaxPool3d& op, const Signature& s) {
  const ActivationLayout x = activation_layout(op.name, s.inputs[0]),
                         y = activation_layout(op.name, s.outputs[0]);
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    std::vector<std::unique_ptr<Kernel>> kernels;
    if (op.kernel == ops::Extent3{1, 3, 3} && op.stride == ops::Extent3{1, 2, 2} &&
        op.padding == ops::Extent3{0, 1, 1}) {
      kernels.push_back(stem<T>(x, y));
    }
    kernels.push_back(plain<T>(op, x, y));
    return kernels;
  });
}

std::unique_ptr<Kernel> compile(const ops::MaxPool3d& op, const Signature& s) {
  return std::move(candidates(op, s).front());
}

}  // namespace tpn::cuda
