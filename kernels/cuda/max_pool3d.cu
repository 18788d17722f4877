// max_pool3d: the maximum over (t, h, w) windows; cells outside of the input do not count. For training with
// the places of the maxima, a byte each.
//
// Two kernels, both a thread to vectors of 16 bytes, whose maxima are exact in f32:
//   plain  any window: one vector of y, reading its whole window.
//   stem   that of is_stem_pool(): 2 x 2 vectors of y, for which 5 x 5 vectors of x are read instead of 4 x 9
//          (6.25 reads for each instead of 9; the caches serve all but 4 of them). With (8,128,128,64) in
//          bf16 it reads 16.8 MB and writes 4.2 MB a view, and compares 9 M pairs: the time is that of the
//          memory traffic.
#include "kernels/cuda/compile.h"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/cuda/pool_windows.h"
#include "kernels/ops/max_pool3d.h"

namespace tpn::cuda {
namespace {

/// The maxima of a window, element by element, and where in the window they lie: the first of equal ones, the
/// last NaN.
template <class T, bool Places>
struct Maxima {
  static constexpr int size = vector_size<T>;
  float best[size];
  int place[Places ? size : 1];

  /// first: the place of the first cell that counts.
  __device__ __forceinline__ void clear(int first) {
#pragma unroll
    for (int e = 0; e < size; ++e) {
      best[e] = -INFINITY;
      if constexpr (Places) place[e] = first;
    }
  }

  __device__ __forceinline__ void take(const Vector<T, size>& x, int at) {
#pragma unroll
    for (int e = 0; e < size; ++e) {
      const float value = to_float(x[e]);
      if constexpr (Places) {
        if (value > best[e] || value != value) place[e] = at;
      }
      best[e] = larger(best[e], value);
    }
  }
};

/// Where maxima go. places: (pixels, C) dense, of the shape of y, or null.
template <class T>
struct PoolOutput {
  T* y;
  std::uint8_t* places;
  std::int64_t y_stride;
  int channels;  ///< C

  template <bool Places>
  __device__ __forceinline__ void store(std::int64_t pixel, int channel,
                                        const Maxima<T, Places>& maxima) const {
    constexpr int size = vector_size<T>;
    store_vector(y + pixel * y_stride + channel, rounded<T>(maxima.best));
    if constexpr (Places) {
      std::uint8_t* to = places + pixel * channels + channel;
      if (channels % size == 0 && channel < channels) {
        Vector<std::uint8_t, size> bytes;
#pragma unroll
        for (int e = 0; e < size; ++e) bytes[e] = static_cast<std::uint8_t>(maxima.place[e]);
        store_vector(to, bytes);
      } else {
#pragma unroll
        for (int e = 0; e < size; ++e) {
          if (channel + e < channels) to[e] = static_cast<std::uint8_t>(maxima.place[e]);
        }
      }
    }
  }
};

struct PoolShape {
  Divisor frames, rows, columns;  ///< T', H', W' of y
  int in_frames = 0, in_rows = 0, in_columns = 0;
  std::int64_t x_stride = 0;
  PoolWindows windows;
};

/// x: (N,T,H,W,C), out: (N,T',H',W',C).
template <class T, bool Places>
__global__ void __launch_bounds__(256, 4)
    max_pool3d_plain(const T* x, PoolOutput<T> out, Vectors<T> vectors, PoolShape s) {
  constexpr int size = vector_size<T>;
  for_each_index(vectors.count, [&](std::uint32_t i) {
    const auto [pixel, channel] = vectors.place(i);
    const auto [row_index, column] = s.columns.divide(pixel);
    const auto [frame_index, row] = s.rows.divide(row_index);
    const auto [view, frame] = s.frames.divide(frame_index);
    const PoolWindows& p = s.windows;
    const int t = static_cast<int>(frame) * p.stride_t - p.padding_t,
              h = static_cast<int>(row) * p.stride_h - p.padding_h,
              w = static_cast<int>(column) * p.stride_w - p.padding_w;
    const auto place = [&](int a, int b, int c) {
      return ((a - t) * p.kernel_h + b - h) * p.kernel_w + c - w;
    };
    Maxima<T, Places> maxima;
    maxima.clear(place(max(t, 0), max(h, 0), max(w, 0)));
    for (int a = max(t, 0); a < min(t + p.kernel_t, s.in_frames); ++a) {
      for (int b = max(h, 0); b < min(h + p.kernel_h, s.in_rows); ++b) {
        for (int c = max(w, 0); c < min(w + p.kernel_w, s.in_columns); ++c) {
          const std::int64_t cell =
              ((static_cast<std::int64_t>(view) * s.in_frames + a) * s.in_rows + b) * s.in_columns + c;
          maxima.take(load_vector<size>(x + cell * s.x_stride + channel), place(a, b, c));
        }
      }
    }
    out.store(pixel, channel, maxima);
  });
}

struct StemShape {
  std::uint32_t count = 0;  ///< threads: 2 x 2 tiles of y, times vectors
  Divisor vectors;          ///< in a pixel
  Divisor tile_rows, tile_columns;
  int in_rows = 0, in_columns = 0, rows = 0, columns = 0;
  std::int64_t x_stride = 0;
};

/// x: (frames,H,W,C), out: (frames,H',W',C).
template <class T, bool Places>
__global__ void __launch_bounds__(256) max_pool3d_stem(const T* x, PoolOutput<T> out, StemShape s) {
  constexpr int size = vector_size<T>;
  for_each_index(s.count, [&](std::uint32_t i) {
    const auto [tile, vector] = s.vectors.divide(i);
    const auto [tile_row_index, tile_column] = s.tile_columns.divide(tile);
    const auto [frame, tile_row] = s.tile_rows.divide(tile_row_index);
    const int channel = static_cast<int>(vector) * size;
    const int row = static_cast<int>(tile_row) * 2, column = static_cast<int>(tile_column) * 2;
    const T* from = x + static_cast<std::int64_t>(frame) * s.in_rows * s.in_columns * s.x_stride + channel;

    Maxima<T, Places> maxima[2][2];  // of the outputs (row + i, column + j)
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int b = row + j / 2 == 0 ? 1 : 0, d = column + j % 2 == 0 ? 1 : 0;  // past the padding
      maxima[j / 2][j % 2].clear(b * 3 + d);
    }
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
        if (a <= 2 && c <= 2) maxima[0][0].take(value, a * 3 + c);
        if (a <= 2 && c >= 2) maxima[0][1].take(value, a * 3 + c - 2);
        if (a >= 2 && c <= 2) maxima[1][0].take(value, (a - 2) * 3 + c);
        if (a >= 2 && c >= 2) maxima[1][1].take(value, (a - 2) * 3 + c - 2);
      }
    }
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int b = row + j / 2, d = column + j % 2;
      if (b >= s.rows || d >= s.columns) continue;
      const std::int64_t pixel = (static_cast<std::int64_t>(frame) * s.rows + b) * s.columns + d;
      out.store(pixel, channel, maxima[j / 2][j % 2]);
    }
  });
}

template <class T>
PoolOutput<T> pool_output(std::span<const TensorView> out, const ActivationLayout& y) {
  return {aligned_elements<T>(out[0]), out.size() > 1 ? aligned_elements<std::uint8_t>(out[1]) : nullptr,
          y.stride, y.c};
}

template <class T>
KernelWork pool_work(const ops::MaxPool3d& op, const ActivationLayout& x, const ActivationLayout& y) {
  const std::int64_t places = op.keep_places ? std::int64_t{y.pixels()} * y.c : 0;
  return {.bytes = x.bytes(sizeof(T)) + y.bytes(sizeof(T)) + places};
}

template <class T>
std::unique_ptr<Kernel> plain_pool(const ops::MaxPool3d& op, const ActivationLayout& x,
                                   const ActivationLayout& y) {
  const PoolShape shape{divisor(y.t), divisor(y.h), divisor(y.w), x.t, x.h, x.w, x.stride, PoolWindows(op)};
  const KernelDescription description{.implementation = "plain", .work = pool_work<T>(op, x, y)};
  return launch_kernel(description, [=, vectors = Vectors<T>(y)](auto in, auto out, cudaStream_t stream) {
    launch("max_pool3d_plain", op.keep_places ? max_pool3d_plain<T, true> : max_pool3d_plain<T, false>,
           one_thread_each(vectors.count), stream, aligned_elements<T>(in[0]), pool_output<T>(out, y),
           vectors, shape);
  });
}

template <class T>
std::unique_ptr<Kernel> stem(const ops::MaxPool3d& op, const ActivationLayout& x, const ActivationLayout& y) {
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
                        x.stride};
  const KernelDescription description{.implementation = "stem_2x2", .work = pool_work<T>(op, x, y)};
  return launch_kernel(description, [=](auto in, auto out, cudaStream_t stream) {
    launch("max_pool3d_stem", op.keep_places ? max_pool3d_stem<T, true> : max_pool3d_stem<T, false>,
           one_thread_each(shape.count), stream, aligned_elements<T>(in[0]), pool_output<T>(out, y), shape);
  });
}

}  // namespace

std::vector<std::unique_ptr<Kernel>> candidates(const ops::MaxPool3d& op, const Signature& s) {
  const ActivationLayout x = activation_layout(op.name, s.inputs[0]),
                         y = activation_layout(op.name, s.outputs[0]);
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    std::vector<std::unique_ptr<Kernel>> kernels;
    if (is_stem_pool(op)) {
      kernels.push_back(stem<T>(op, x, y));
    }
    kernels.push_back(plain_pool<T>(op, x, y));
    return kernels;
  });
}

std::unique_ptr<Kernel> compile(const ops::MaxPool3d& op, const Signature& s) {
  return std::move(candidates(op, s).front());
}

}  // namespace tpn::cuda
