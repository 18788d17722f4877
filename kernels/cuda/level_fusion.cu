// level_fusion: y = relu(batch_norm(grouped 1x1x1 convolution(max_pool3d(x)))), into a channel slice.
//
// A block takes a tile of y's pixels, of all views, and a tile of outputs (see grouped_tiles.cuh): its
// threads read the windows of x once, keep their maxima in shared memory (exact in x's type), multiply, and
// write the finished values where the concatenation of the levels wants them. In the networks (x
// (1,8,8,1024), 32 groups of 32 channels) that moves 0.26 MB and multiplies 2.1 M times a view: a launch's
// worth of work, of which separate operations would make four. Without a batch norm the sums are written as
// they are.
//
// `plain` is the definition: a thread for each element of y.
#include "kernels/cuda/compile.h"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/grouped_tiles.cuh"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/ops/level_fusion.h"

namespace tpn::cuda {
namespace {

struct FusionShape {
  int pixels = 1;                 ///< of y, N T' H' W'
  Divisor frames, rows, columns;  ///< T', H', W' of y
  int in_frames = 1, in_rows = 1, in_columns = 1;
  int window_t = 1, window_h = 1, window_w = 1;  ///< also the strides
  std::int64_t x_stride = 0, y_stride = 0;
  bool relu = false;
};

/// The cells of x that a pixel of y pools: frames [t, t_end) of a view and so on.
struct Window {
  std::int64_t view;
  int t, t_end, h, h_end, w, w_end;
};

__device__ __forceinline__ Window window_of(const FusionShape& s, int pixel) {
  const auto [row_index, column] = s.columns.divide(static_cast<std::uint32_t>(pixel));
  const auto [frame_index, row] = s.rows.divide(row_index);
  const auto [view, frame] = s.frames.divide(frame_index);
  const int t = static_cast<int>(frame) * s.window_t, h = static_cast<int>(row) * s.window_h,
            w = static_cast<int>(column) * s.window_w;
  return {view,
          t,
          min(t + s.window_t, s.in_frames),
          h,
          min(h + s.window_h, s.in_rows),
          w,
          min(w + s.window_w, s.in_columns)};
}

/// Maximum over a window of Count channels; `x` points to the first of them.
template <int Count, class T>
__device__ __forceinline__ Vector<T, Count> pooled(const T* x, const FusionShape& s, const Window& window) {
  Vector<T, Count> best;
#pragma unroll
  for (int e = 0; e < Count; ++e) best[e] = from_float<T>(-INFINITY);
  for (int a = window.t; a < window.t_end; ++a) {
    for (int b = window.h; b < window.h_end; ++b) {
      for (int c = window.w; c < window.w_end; ++c) {
        const std::int64_t cell = ((window.view * s.in_frames + a) * s.in_rows + b) * s.in_columns + c;
        const auto value = load_vector<Count>(x + cell * s.x_stride);
#pragma unroll
        for (int e = 0; e < Count; ++e)
          best[e] = from_float<T>(larger(to_float(best[e]), to_float(value[e])));
      }
    }
  }
  return best;
}

/// What follows a sum. scale, shift: of the batch norm, (O rounded up to 8), or null.
__device__ __forceinline__ float finished(float sum, const float* scale, const float* shift, int output,
                                          bool relu) {
  if (scale != nullptr) sum = fmaf(sum, scale[output], shift[output]);
  return relu && sum < 0 ? 0.0F : sum;
}

/// x: (N,T,H,W,C), weights: in the tile's order, y: (N,T',H',W',O). Blocks: (tiles of y's pixels, tiles of
/// outputs). Shared memory: what the tile wants, and the rows.
template <class Tile, class T = typename Tile::Element>
__global__ void __launch_bounds__(Tile::threads, 2)
    level_fusion(const T* x, const T* weights, const float* scale, const float* shift, T* y, GroupedShape g,
                 FusionShape s, int tile_elements) {
  TPN_DYNAMIC_SHARED(T, shared);
  constexpr int size = vector_size<T>;
  const int first_pixel = static_cast<int>(blockIdx.x) * Tile::pixels,
            first_output = static_cast<int>(blockIdx.y) * Tile::outputs;
  const int first_channel = g.first_channel(first_output, size);
  T* rows = shared + tile_elements;

  const Tile tile(weights, g, first_output, shared);
  const std::uint32_t count = Tile::pixels * g.row_vectors.value();
  for (std::uint32_t i = threadIdx.x; i < count; i += Tile::threads) {
    const auto [row, vector] = g.row_vectors.divide(i);
    const int pixel = first_pixel + static_cast<int>(row),
              channel = first_channel + static_cast<int>(vector) * size;
    Vector<T, size> value{};
    if (pixel < s.pixels && channel < g.padded_channels) {
      value = pooled<size>(x + channel, s, window_of(s, pixel));
    }
    store_vector(rows + row * g.row_stride + vector * size, value);
  }
  cp_async_wait<0>();
  __syncthreads();

  float sum[1][Tile::runs * Tile::run] = {};
  tile.accumulate(sum, rows);
#pragma unroll
  for (int i = 0; i < Tile::runs; ++i) {
    const TilePlace place = Tile::place(i);
    const int pixel = first_pixel + place.pixel, output = first_output + place.output;
    if (pixel >= s.pixels || output >= g.padded_outputs) continue;
    Vector<T, Tile::run> value;
#pragma unroll
    for (int e = 0; e < Tile::run; ++e) {
      value[e] = from_float<T>(finished(sum[0][i * Tile::run + e], scale, shift, output + e, s.relu));
    }
    store_vector(y + pixel * s.y_stride + output, value);
  }
}

/// As above, one thread an element of y. weights: WeightOrder::by_output.
template <class T>
__global__ void __launch_bounds__(256, 4)  // for sm_80, ptxas wants six blocks, and spills for that
    level_fusion_plain(const T* x, const T* weights, const float* scale, const float* shift, T* y,
                       GroupedShape g, FusionShape s, std::uint32_t count) {
  for_each_index(count, [&](std::uint32_t i) {
    const int output = static_cast<int>(i) % g.padded_outputs, pixel = static_cast<int>(i) / g.padded_outputs;
    float value = 0;
    if (output < g.outputs) {
      const Window window = window_of(s, pixel);
      const T* channels = x + output / g.out_per_group * g.in_per_group;
      const T* weight = weights + static_cast<std::int64_t>(output) * g.in_per_group;
      for (int c = 0; c < g.in_per_group; ++c) {
        value = fmaf(to_float(pooled<1>(channels + c, s, window)[0]), to_float(weight[c]), value);
      }
      value = finished(value, scale, shift, output, s.relu);
    }
    y[pixel * s.y_stride + output] = from_float<T>(value);
  });
}

/// Everything that the variants have in common.
struct FusionProblem {
  GroupedSizes sizes;
  FusionShape shape;
  ActivationLayout x, y;
  std::shared_ptr<const Packing> norm;  ///< null: none

  /// The forms that a kernel reads which wants the weights in that order.
  template <class T>
  [[nodiscard]] std::vector<std::shared_ptr<const Packing>> packings(const Signature& s,
                                                                     WeightOrder order) const {
    std::vector<std::shared_ptr<const Packing>> all{grouped_packing<T>(s, sizes, order)};
    if (norm) all.push_back(norm);
    return all;
  }
  [[nodiscard]] NormConstants norm_of(std::span<const std::byte* const> packed) const {
    return norm ? norm_constants(packed[1], *norm) : NormConstants{};
  }
  [[nodiscard]] std::int64_t bytes(std::size_t element) const {
    const std::int64_t weights = std::int64_t{sizes.outputs} * sizes.in_per_group;
    return x.bytes(element) + y.bytes(element) + weights * static_cast<std::int64_t>(element) +
           (norm ? static_cast<std::int64_t>(norm->bytes()) : 0);
  }
};

template <class Tile>
void add_tiled(std::vector<std::unique_ptr<Kernel>>& kernels, const FusionProblem& p, const Signature& s) {
  using T = typename Tile::Element;
  const GroupedShape g = grouped_shape<T>(p.sizes, p.x, p.y, Tile::outputs);
  const int tile_elements = Tile::shared_elements(g);
  LaunchShape launch_shape;
  launch_shape.shared_bytes =
      static_cast<std::size_t>(tile_elements + Tile::pixels * g.row_stride) * sizeof(T);
  if (launch_shape.shared_bytes > most_shared_bytes) return;
  const int pixel_tiles = (p.shape.pixels + Tile::pixels - 1) / Tile::pixels,
            output_tiles = (p.sizes.outputs + Tile::outputs - 1) / Tile::outputs;
  launch_shape.grid = dim3(static_cast<unsigned>(pixel_tiles), static_cast<unsigned>(output_tiles));
  launch_shape.block = dim3(Tile::threads);
  const std::int64_t tile_products = std::int64_t{Tile::pixels} * Tile::outputs * p.sizes.in_per_group;
  const KernelDescription description{
      .implementation = tile_name<Tile>(),
      .work = {.bytes = p.bytes(sizeof(T)),
               .multiply_adds = std::int64_t{pixel_tiles} * output_tiles * tile_products},
      .packings = p.packings<T>(s, Tile::order)};
  kernels.push_back(launch_kernel(description, [=](auto in, auto out, auto packed, cudaStream_t stream) {
    const NormConstants norm = p.norm_of(packed);
    launch("level_fusion", level_fusion<Tile>, launch_shape, stream, aligned_elements<T>(in[0]),
           reinterpret_cast<const T*>(packed[0]), norm.scale, norm.shift, aligned_elements<T>(out[0]), g,
           p.shape, tile_elements);
  }));
}

template <class T>
std::unique_ptr<Kernel> plain_fusion(const FusionProblem& p, const Signature& s) {
  const GroupedShape g = grouped_shape<T>(p.sizes, p.x, p.y, output_alignment);
  const std::int64_t count = element_count("level_fusion", p.y);
  const KernelDescription description{
      .implementation = "plain",
      .work = {.bytes = p.bytes(sizeof(T)),
               .multiply_adds = std::int64_t{p.y.pixels()} * p.sizes.outputs * p.sizes.in_per_group},
      .packings = p.packings<T>(s, WeightOrder::by_output)};
  return launch_kernel(description, [=](auto in, auto out, auto packed, cudaStream_t stream) {
    const NormConstants norm = p.norm_of(packed);
    launch("level_fusion_plain", level_fusion_plain<T>, one_thread_each(count), stream,
           aligned_elements<T>(in[0]), reinterpret_cast<const T*>(packed[0]), norm.scale, norm.shift,
           aligned_elements<T>(out[0]), g, p.shape, static_cast<std::uint32_t>(count));
  });
}

}  // namespace

std::vector<std::unique_ptr<Kernel>> candidates(const ops::LevelFusion& op, const Signature& s) {
  const ActivationLayout x = activation_layout(op.name, s.inputs[0]),
                         y = activation_layout(op.name, s.outputs[0]);
  const int groups = static_cast<int>(op.conv.conv.groups);
  const auto divisor = [](int value) { return Divisor(static_cast<std::uint32_t>(value)); };
  const auto window = [&op](std::size_t axis, int extent) {
    return static_cast<int>(std::min<std::int64_t>(op.pool.kernel[axis], extent));
  };
  FusionProblem p{{x.c / groups, y.c / groups, y.c, 1}, {}, x, y, {}};
  p.shape = {y.pixels(),     divisor(y.t),   divisor(y.h),   divisor(y.w), x.t,      x.h,         x.w,
             window(0, x.t), window(1, x.h), window(2, x.w), x.stride,     y.stride, op.conv.relu};
  if (op.conv.norm) p.norm = norm_packing(s, 2, op.conv.eps);
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    std::vector<std::unique_ptr<Kernel>> kernels;
    for_each_tile<T, 1>(p.sizes,
                        [&]<class Tile>(std::type_identity<Tile>) { add_tiled<Tile>(kernels, p, s); });
    kernels.push_back(plain_fusion<T>(p, s));
    return kernels;
  });
}

std::unique_ptr<Kernel> compile(const ops::LevelFusion& op, const Signature& s) {
  return std::move(candidates(op, s).front());
}

}  // namespace tpn::cuda
