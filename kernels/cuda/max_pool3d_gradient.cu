// max_pool3d_gradient: dx of a cell sums dy of the windows whose maximum it is, in f32 and rounded once.
//
// Every cell gathers from the windows that it lies in, in a fixed order, so that threads share no cell. Two
// kernels, both a thread to vectors of 16 bytes:
//   plain  any window: one vector of dx, reading dy and places of all its windows.
//   stem   that of is_stem_pool(): 2 x 2 vectors of dx, all of whose windows are the same 2 x 2: one read of
//          dy and places for each vector of dx instead of 2.25.
// dx is four times as large as dy there: the time is that of writing it.
#include "kernels/cuda/compile.h"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/cuda/pool_windows.h"

namespace tpn::cuda {
namespace {

/// What the windows hand down. places: (pixels, C) dense, of the shape of dy.
template <class T>
struct WindowGradients {
  const T* dy;
  const std::uint8_t* places;
  std::int64_t dy_stride;
  int channels;  ///< C

  /// A vector of a window's.
  struct Loaded {
    Vector<T, vector_size<T>> dy;
    Vector<std::uint8_t, vector_size<T>> places;  ///< zeros past C, where dy is zero

    /// Adds dy of the channels whose maximum is at that place.
    __device__ __forceinline__ void add_where(int place, float (&sum)[vector_size<T>]) const {
#pragma unroll
      for (int e = 0; e < vector_size<T>; ++e) sum[e] += places[e] == place ? to_float(dy[e]) : 0.0F;
    }
  };

  __device__ __forceinline__ Loaded load(std::int64_t window, int channel) const {
    constexpr int size = vector_size<T>;
    Loaded loaded{load_vector<size>(dy + window * dy_stride + channel), {}};
    const std::uint8_t* from = places + window * channels + channel;
    if (channels % size == 0 && channel < channels) {
      loaded.places = load_vector<size>(from);
    } else {
#pragma unroll
      for (int e = 0; e < size; ++e) {
        if (channel + e < channels) loaded.places[e] = from[e];
      }
    }
    return loaded;
  }
};

struct GradientShape {
  Divisor frames, rows, columns;                               ///< T, H, W of dx
  Divisor stride_t, stride_h, stride_w;                        ///< of the windows
  int window_frames = 0, window_rows = 0, window_columns = 0;  ///< T', H', W' of dy
  PoolWindows windows;
};

/// The windows [begin, end) of one axis that a cell lies in. cell: counted with the padding.
struct WindowRange {
  int begin, end;

  __device__ __forceinline__ WindowRange(int cell, int kernel, const Divisor& stride, int count)
      : begin(cell < kernel ? 0 : static_cast<int>(stride.divide(cell - kernel).quotient) + 1),
        end(min(static_cast<int>(stride.divide(cell).quotient) + 1, count)) {}
};

/// gradients: (N,T',H',W',C), dx: (N,T,H,W,C).
template <class T>
__global__ void __launch_bounds__(256, 4)
    max_pool3d_gradient_plain(WindowGradients<T> gradients, T* dx, Vectors<T> vectors, GradientShape s) {
  for_each_index(vectors.count, [&](std::uint32_t i) {
    const auto [pixel, channel] = vectors.place(i);
    const auto [row_index, column] = s.columns.divide(pixel);
    const auto [frame_index, row] = s.rows.divide(row_index);
    const auto [view, frame] = s.frames.divide(frame_index);
    const PoolWindows& p = s.windows;
    const int t = static_cast<int>(frame) + p.padding_t, h = static_cast<int>(row) + p.padding_h,
              w = static_cast<int>(column) + p.padding_w;
    const WindowRange ts(t, p.kernel_t, s.stride_t, s.window_frames),
        hs(h, p.kernel_h, s.stride_h, s.window_rows), ws(w, p.kernel_w, s.stride_w, s.window_columns);
    float sum[vector_size<T>] = {};
    for (int a = ts.begin; a < ts.end; ++a) {
      for (int b = hs.begin; b < hs.end; ++b) {
        for (int c = ws.begin; c < ws.end; ++c) {
          const std::int64_t window =
              ((static_cast<std::int64_t>(view) * s.window_frames + a) * s.window_rows + b) *
                  s.window_columns +
              c;
          const int place =
              ((t - a * p.stride_t) * p.kernel_h + h - b * p.stride_h) * p.kernel_w + w - c * p.stride_w;
          gradients.load(window, channel).add_where(place, sum);
        }
      }
    }
    store_vector(dx + pixel * vectors.stride + channel, rounded<T>(sum));
  });
}

struct StemGradientShape {
  std::uint32_t count = 0;  ///< threads: 2 x 2 tiles of dx, times vectors
  Divisor vectors;          ///< in a pixel
  Divisor tile_rows, tile_columns;
  int rows = 0, columns = 0, window_rows = 0, window_columns = 0;
  std::int64_t dx_stride = 0;
};

/// gradients: (frames,H',W',C), dx: (frames,H,W,C). Row 2i of dx is the middle one of window i; row 2i + 1 is
/// its last, and the first of window i + 1.
template <class T>
__global__ void __launch_bounds__(256)
    max_pool3d_gradient_stem(WindowGradients<T> gradients, T* dx, StemGradientShape s) {
  for_each_index(s.count, [&](std::uint32_t i) {
    const auto [tile, vector] = s.vectors.divide(i);
    const auto [tile_row_index, tile_column] = s.tile_columns.divide(tile);
    const auto [frame, tile_row] = s.tile_rows.divide(tile_row_index);
    const int channel = static_cast<int>(vector) * vector_size<T>;
    const int row = static_cast<int>(tile_row), column = static_cast<int>(tile_column);

    float sum[2][2][vector_size<T>] = {};  // of the cells (2 row + i, 2 column + j)
#pragma unroll
    for (int a = 0; a < 2; ++a) {
#pragma unroll
      for (int b = 0; b < 2; ++b) {
        if (row + a >= s.window_rows || column + b >= s.window_columns) continue;
        const std::int64_t window =
            (static_cast<std::int64_t>(frame) * s.window_rows + row + a) * s.window_columns + column + b;
        const auto loaded = gradients.load(window, channel);
#pragma unroll
        for (int j = a; j < 2; ++j) {
#pragma unroll
          for (int k = b; k < 2; ++k) loaded.add_where((j + 1 - 2 * a) * 3 + k + 1 - 2 * b, sum[j][k]);
        }
      }
    }
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int b = 2 * row + j / 2, d = 2 * column + j % 2;
      if (b >= s.rows || d >= s.columns) continue;
      const std::int64_t pixel = (static_cast<std::int64_t>(frame) * s.rows + b) * s.columns + d;
      store_vector(dx + pixel * s.dx_stride + channel, rounded<T>(sum[j / 2][j % 2]));
    }
  });
}

template <class T>
WindowGradients<T> window_gradients(std::span<const ConstTensorView> in, const ActivationLayout& dy) {
  return {aligned_elements<T>(in[0]), aligned_elements<std::uint8_t>(in[1]), dy.stride, dy.c};
}

template <class T>
KernelWork gradient_work(const ActivationLayout& dy, const ActivationLayout& dx) {
  return {.bytes = dy.bytes(sizeof(T)) + std::int64_t{dy.pixels()} * dy.c + dx.bytes(sizeof(T))};
}

template <class T>
std::unique_ptr<Kernel> plain_pool_gradient(const ops::MaxPool3d& pool, const ActivationLayout& dy,
                                            const ActivationLayout& dx) {
  const PoolWindows windows(pool);
  const GradientShape shape{divisor(dx.t),
                            divisor(dx.h),
                            divisor(dx.w),
                            divisor(windows.stride_t),
                            divisor(windows.stride_h),
                            divisor(windows.stride_w),
                            dy.t,
                            dy.h,
                            dy.w,
                            windows};
  const KernelDescription description{.implementation = "plain", .work = gradient_work<T>(dy, dx)};
  return launch_kernel(description, [=, vectors = Vectors<T>(dx)](auto in, auto out, cudaStream_t stream) {
    launch("max_pool3d_gradient_plain", max_pool3d_gradient_plain<T>, one_thread_each(vectors.count), stream,
           window_gradients<T>(in, dy), aligned_elements<T>(out[0]), vectors, shape);
  });
}

template <class T>
std::unique_ptr<Kernel> stem(const ActivationLayout& dy, const ActivationLayout& dx) {
  const int tile_rows = (dx.h + 1) / 2, tile_columns = (dx.w + 1) / 2;
  const int vectors = dx.padded_channels() / vector_size<T>;
  const StemGradientShape shape{static_cast<std::uint32_t>(dx.n * dx.t * tile_rows * tile_columns * vectors),
                                divisor(vectors),
                                divisor(tile_rows),
                                divisor(tile_columns),
                                dx.h,
                                dx.w,
                                dy.h,
                                dy.w,
                                dx.stride};
  const KernelDescription description{.implementation = "stem_2x2", .work = gradient_work<T>(dy, dx)};
  return launch_kernel(description, [=](auto in, auto out, cudaStream_t stream) {
    launch("max_pool3d_gradient_stem", max_pool3d_gradient_stem<T>, one_thread_each(shape.count), stream,
           window_gradients<T>(in, dy), aligned_elements<T>(out[0]), shape);
  });
}

}  // namespace

std::vector<std::unique_ptr<Kernel>> candidates(const ops::MaxPool3dGradient& op, const Signature& s) {
  const ActivationLayout dy = activation_layout(op.name, s.inputs[0]),
                         dx = activation_layout(op.name, s.outputs[0]);
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    std::vector<std::unique_ptr<Kernel>> kernels;
    if (is_stem_pool(op.pool)) kernels.push_back(stem<T>(dy, dx));
    kernels.push_back(plain_pool_gradient<T>(op.pool, dy, dx));
    return kernels;
  });
}

std::unique_ptr<Kernel> compile(const ops::MaxPool3dGradient& op, const Signature& s) {
  return std::move(candidates(op, s).front());
}

}  // namespace tpn::cuda
