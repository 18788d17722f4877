// temporal_modulation: y = max over windows of frames(grouped (3,1,1) convolution(x)) + addend.
//
// A block takes a tile of pixels of one view and a tile of outputs (see grouped_tiles.cuh), and walks through
// the frames. Each frame of x is brought to shared memory once, three frames ahead of time at most, and its
// products with the three taps are added to the sums of the frames after, at and before it: so three sums are
// alive, and each frame's sum is finished, and taken into the maximum of its window, when the frame after it
// has been added. Only the maxima are written. In the networks (x (8,8,8,2048), weight (1024,64,3,1,1), one
// window) that reads 2.1 MB, writes 0.13 MB a view and multiplies 101 M times, 0.15 % of a view's work; the
// convolution alone would write 1 MB and a pooling kernel read it again.
//
// `plain` is the definition: a thread for each element of y.
#include "kernels/cuda/compile.h"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/grouped_tiles.cuh"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/ops/temporal_modulation.h"

namespace tpn::cuda {
namespace {

struct ModulationShape {
  int frames = 1, window = 1, out_frames = 1;
  int frame_pixels = 1;  ///< H W
  int add_frames = 1;    ///< of the addend
  int repeats = 1;       ///< frames of y for each of the addend
  std::int64_t x_stride = 0, y_stride = 0, add_stride = 0;
};

/// Stages of frames in shared memory.
constexpr int modulation_stages = 3;

/// Starts copying the rows of a tile: the tile's channels of its pixels, `from` being pixel 0 of the frame.
/// Rows of pixels past the frame's are zeros.
template <class Tile, class T>
__device__ __forceinline__ void load_rows(T* rows, const T* from, const GroupedShape& g,
                                          const ModulationShape& s, int first_pixel, int first_channel) {
  constexpr int size = vector_size<T>;
  const std::uint32_t count = Tile::pixels * g.row_vectors.value();
  for (std::uint32_t i = threadIdx.x; i < count; i += Tile::threads) {
    const auto [row, vector] = g.row_vectors.divide(i);
    const int pixel = first_pixel + static_cast<int>(row),
              channel = first_channel + static_cast<int>(vector) * size;
    const bool valid = pixel < s.frame_pixels && channel < g.padded_channels;
    cp_async_16(rows + row * g.row_stride + vector * size, valid ? from + pixel * s.x_stride + channel : from,
                valid);
  }
}

/// Writes `best`, with the addend of output frame `frame` of a view.
template <class Tile, class T>
__device__ __forceinline__ void store_tile(const float (&best)[Tile::runs * Tile::run], const T* addend, T* y,
                                           const GroupedShape& g, const ModulationShape& s, int view,
                                           int frame, int first_pixel, int first_output) {
  const std::int64_t y_frame = static_cast<std::int64_t>(view) * s.out_frames + frame,
                     add_frame = static_cast<std::int64_t>(view) * s.add_frames + frame / s.repeats;
#pragma unroll
  for (int i = 0; i < Tile::runs; ++i) {
    const TilePlace place = Tile::place(i);
    const int pixel = first_pixel + place.pixel, output = first_output + place.output;
    if (pixel >= s.frame_pixels || output >= g.padded_outputs) continue;
    Vector<T, Tile::run> other{}, value;
    if (addend != nullptr) {
      other = load_vector<Tile::run>(addend + (add_frame * s.frame_pixels + pixel) * s.add_stride + output);
    }
#pragma unroll
    for (int e = 0; e < Tile::run; ++e)
      value[e] = from_float<T>(best[i * Tile::run + e] + to_float(other[e]));
    store_vector(y + (y_frame * s.frame_pixels + pixel) * s.y_stride + output, value);
  }
}

/// x: (N,T,H,W,C), weights: in the tile's order, addend: (N,T2,H,W,O) or null, y: (N,T',H,W,O). Blocks:
/// (tiles of a frame's pixels, tiles of outputs, N). Shared memory: what the tile wants, and the rows of each
/// stage.
template <class Tile, class T = typename Tile::Element>
__global__ void __launch_bounds__(Tile::threads, 2)
    temporal_modulation(const T* x, const T* weights, const T* addend, T* y, GroupedShape g,
                        ModulationShape s, int tile_elements) {
  TPN_DYNAMIC_SHARED(T, shared);
  constexpr int elements = Tile::runs * Tile::run;
  const int first_pixel = static_cast<int>(blockIdx.x) * Tile::pixels,
            first_output = static_cast<int>(blockIdx.y) * Tile::outputs;
  const int first_channel = g.first_channel(first_output, vector_size<T>);
  const int view = static_cast<int>(blockIdx.z);
  T* stages = shared + tile_elements;
  const int stage_elements = Tile::pixels * g.row_stride;
  const auto start = [&](int frame) {
    if (frame < s.frames) {
      const std::int64_t pixel = (static_cast<std::int64_t>(view) * s.frames + frame) * s.frame_pixels;
      load_rows<Tile>(stages + frame % modulation_stages * stage_elements, x + pixel * s.x_stride, g, s,
                      first_pixel, first_channel);
    }
    cp_async_commit();
  };

  const Tile tile(weights, g, first_output, shared);
#pragma unroll
  for (int frame = 0; frame < modulation_stages - 1; ++frame) start(frame);

  float sum[3][elements] = {};  // sum[a]: of frame + 1 - a, to which tap a of `frame` belongs
  float best[elements];
  int in_window = 0, out_frame = 0;
  // Takes sum[2] as the sum of the next frame of the current window.
  const auto finish_frame = [&](bool last) {
#pragma unroll
    for (int i = 0; i < elements; ++i) best[i] = in_window == 0 ? sum[2][i] : larger(best[i], sum[2][i]);
    if (++in_window == s.window || last) {
      store_tile<Tile>(best, addend, y, g, s, view, out_frame, first_pixel, first_output);
      in_window = 0;
      ++out_frame;
    }
  };
  for (int frame = 0; frame < s.frames; ++frame) {
    cp_async_wait<modulation_stages - 2>();
    __syncthreads();  // the frame is there, and nobody reads the one before it any more
    start(frame + modulation_stages - 1);
    tile.accumulate(sum, stages + frame % modulation_stages * stage_elements);
    if (frame > 0) finish_frame(false);
#pragma unroll
    for (int i = 0; i < elements; ++i) {
      sum[2][i] = sum[1][i];
      sum[1][i] = sum[0][i];
      sum[0][i] = 0;
    }
  }
  finish_frame(true);
}

/// As above, one thread an element of y. weights: WeightOrder::by_output.
template <class T>
__global__ void __launch_bounds__(256)
    temporal_modulation_plain(const T* x, const T* weights, const T* addend, T* y, GroupedShape g,
                              ModulationShape s, std::uint32_t count) {
  for_each_index(count, [&](std::uint32_t i) {
    const int output = static_cast<int>(i) % g.padded_outputs;
    const int pixel_index = static_cast<int>(i) / g.padded_outputs;
    const int pixel = pixel_index % s.frame_pixels, frame_index = pixel_index / s.frame_pixels;
    const int out_frame = frame_index % s.out_frames, view = frame_index / s.out_frames;
    float value = 0;
    if (output < g.outputs) {
      const int group = output / g.out_per_group;
      value = -INFINITY;
      for (int t = out_frame * s.window; t < min((out_frame + 1) * s.window, s.frames); ++t) {
        float sum = 0;
        for (int a = 0; a < 3; ++a) {
          const int from = t + a - 1;
          if (from < 0 || from >= s.frames) continue;
          const T* row =
              x +
              ((static_cast<std::int64_t>(view) * s.frames + from) * s.frame_pixels + pixel) * s.x_stride +
              group * g.in_per_group;
          const T* weight = weights + (static_cast<std::int64_t>(output) * 3 + a) * g.in_per_group;
          for (int c = 0; c < g.in_per_group; ++c) sum = fmaf(to_float(row[c]), to_float(weight[c]), sum);
        }
        value = larger(value, sum);
      }
      if (addend != nullptr) {
        const std::int64_t add_frame = static_cast<std::int64_t>(view) * s.add_frames + out_frame / s.repeats;
        value += to_float(addend[(add_frame * s.frame_pixels + pixel) * s.add_stride + output]);
      }
    }
    y[pixel_index * s.y_stride + output] = from_float<T>(value);
  });
}

/// Everything that the variants have in common.
struct ModulationProblem {
  GroupedSizes sizes;
  ModulationShape shape;
  ActivationLayout x, y;
  std::int64_t add_elements = 0;  ///< of the addend
  bool add = false;

  [[nodiscard]] std::int64_t bytes(std::size_t element) const {
    const std::int64_t weights = std::int64_t{sizes.outputs} * sizes.in_per_group * sizes.taps;
    return x.bytes(element) + y.bytes(element) +
           (weights + add_elements) * static_cast<std::int64_t>(element);
  }
};

template <class Tile>
void add_tiled(std::vector<std::unique_ptr<Kernel>>& kernels, const ModulationProblem& p,
               const Signature& s) {
  using T = typename Tile::Element;
  const GroupedShape g = grouped_shape<T>(p.sizes, p.x, p.y, Tile::outputs);
  const int tile_elements = Tile::shared_elements(g);
  LaunchShape launch_shape;
  launch_shape.shared_bytes =
      (static_cast<std::size_t>(tile_elements) +
       static_cast<std::size_t>(modulation_stages * Tile::pixels) * static_cast<std::size_t>(g.row_stride)) *
      sizeof(T);
  if (launch_shape.shared_bytes > most_shared_bytes) return;
  const int pixel_tiles = (p.shape.frame_pixels + Tile::pixels - 1) / Tile::pixels,
            output_tiles = (p.sizes.outputs + Tile::outputs - 1) / Tile::outputs;
  launch_shape.grid = dim3(static_cast<unsigned>(pixel_tiles), static_cast<unsigned>(output_tiles),
                           static_cast<unsigned>(p.x.n));
  launch_shape.block = dim3(Tile::threads);
  const std::int64_t tile_products =
      std::int64_t{Tile::pixels} * Tile::outputs * p.sizes.in_per_group * p.sizes.taps;
  const KernelDescription description{
      .implementation = tile_name<Tile>(),
      .work = {.bytes = p.bytes(sizeof(T)),
               .multiply_adds = std::int64_t{p.x.n} * p.x.t * pixel_tiles * output_tiles * tile_products},
      .packings = {grouped_packing<T>(s, p.sizes, Tile::order)}};
  kernels.push_back(launch_kernel(description, [=](auto in, auto out, auto packed, cudaStream_t stream) {
    launch("temporal_modulation", temporal_modulation<Tile>, launch_shape, stream, aligned_elements<T>(in[0]),
           reinterpret_cast<const T*>(packed[0]), p.add ? aligned_elements<T>(in[2]) : nullptr,
           aligned_elements<T>(out[0]), g, p.shape, tile_elements);
  }));
}

template <class T>
std::unique_ptr<Kernel> plain_modulation(const ModulationProblem& p, const Signature& s) {
  const GroupedShape g = grouped_shape<T>(p.sizes, p.x, p.y, output_alignment);
  const std::int64_t count = element_count("temporal_modulation", p.y);
  const KernelDescription description{
      .implementation = "plain",
      .work = {.bytes = p.bytes(sizeof(T)),
               .multiply_adds = std::int64_t{p.x.pixels()} * p.sizes.outputs * p.sizes.in_per_group * 3},
      .packings = {grouped_packing<T>(s, p.sizes, WeightOrder::by_output)}};
  return launch_kernel(description, [=](auto in, auto out, auto packed, cudaStream_t stream) {
    launch("temporal_modulation_plain", temporal_modulation_plain<T>, one_thread_each(count), stream,
           aligned_elements<T>(in[0]), reinterpret_cast<const T*>(packed[0]),
           p.add ? aligned_elements<T>(in[2]) : nullptr, aligned_elements<T>(out[0]), g, p.shape,
           static_cast<std::uint32_t>(count));
  });
}

}  // namespace

std::vector<std::unique_ptr<Kernel>> candidates(const ops::TemporalModulation& op, const Signature& s) {
  const ActivationLayout x = activation_layout(op.name, s.inputs[0]),
                         y = activation_layout(op.name, s.outputs[0]);
  const int groups = static_cast<int>(op.conv.groups);
  ModulationProblem p{{x.c / groups, y.c / groups, y.c, 3}, {}, x, y};
  p.shape = {x.t, static_cast<int>(std::min<std::int64_t>(op.window, x.t)), y.t, x.frame_pixels()};
  p.shape.x_stride = x.stride;
  p.shape.y_stride = y.stride;
  p.add = op.add;
  if (op.add) {
    const ActivationLayout addend = activation_layout(op.name, s.inputs[2]);
    p.shape.add_frames = addend.t;
    p.shape.repeats = y.t / addend.t;
    p.shape.add_stride = addend.stride;
    p.add_elements = addend.bytes(1);
  }
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    std::vector<std::unique_ptr<Kernel>> kernels;
    for_each_tile<T, 3>(p.sizes,
                        [&]<class Tile>(std::type_identity<Tile>) { add_tiled<Tile>(kernels, p, s); });
    kernels.push_back(plain_modulation<T>(p, s));
    return kernels;
  });
}

std::unique_ptr<Kernel> compile(const ops::TemporalModulation& op, const Signature& s) {
  return std::move(candidates(op, s).front());
}

}  // namespace tpn::cuda
