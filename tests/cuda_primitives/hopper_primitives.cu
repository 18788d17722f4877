#include <random>
#include <string>

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/memory.h"
#include "kernels/cuda/tensor_map.h"
#include "tests/cuda_primitives/draws.h"
#include "tests/cuda_primitives/hopper_primitives.h"

namespace tpn::test {
namespace {

using cuda::ConvType;
using cuda::load_vector;
using cuda::PhaseBarrier;
using cuda::store_vector;
using std::uint32_t;

constexpr int group_threads = 128;
constexpr int row_words = 32;  ///< of an operand: 64 elements
constexpr int group_rows = 64;

/// Rows of 128 bytes to where warp_group_multiply reads them. By all threads of the group.
__device__ void store_operand(unsigned char* shared, const uint32_t* rows, int count) {
  constexpr int row_chunks = row_words / 4;
  for (int i = static_cast<int>(threadIdx.x); i < count * row_chunks; i += group_threads) {
    const int row = i / row_chunks;
    const int place = row * row_chunks + (i % row_chunks ^ row % 8);
    store_vector(reinterpret_cast<uint32_t*>(shared) + 4 * place, load_vector<4>(rows + 4 * i));
  }
}

/// in: the rows of a and of b, then each thread's sums; out: the sums. Of the four slices of depth two are
/// multiplied. Transposed: the rows are 64 elements of depth of a, and of each 64 columns of b.
template <class T, int N, bool Transposed>
__global__ void __launch_bounds__(group_threads) warp_group_kernel(const uint32_t* in, uint32_t* out) {
  TPN_DYNAMIC_SHARED(unsigned char, shared);
  unsigned char* const b = shared + group_rows * row_words * 4;
  store_operand(shared, in, group_rows);
  store_operand(b, in + group_rows * row_words, 8 * N);
  cuda::asynchronous_fence();
  __syncthreads();
  const int thread = static_cast<int>(threadIdx.x);
  const float* from = reinterpret_cast<const float*>(in) + (group_rows + 8 * N) * row_words + thread * 4 * N;
  float sum[N][4];
#pragma unroll
  for (int n = 0; n < N; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) sum[n][i] = from[4 * n + i];
  }
  cuda::warp_group_fence();
#pragma unroll
  for (int slice = 1; slice < 4; slice += 2) {
    if constexpr (Transposed) {
      constexpr int next = group_rows * row_words * 4;
      const int at = 16 * slice * row_words * 4;
      cuda::warp_group_multiply_transposed<T>(sum, cuda::transposed_descriptor(shared + at, next),
                                              cuda::transposed_descriptor(b + at, next));
    } else {
      cuda::warp_group_multiply<T>(sum, cuda::matrix_descriptor(shared + 32 * slice),
                                   cuda::matrix_descriptor(b + 32 * slice));
    }
  }
  cuda::warp_group_commit();
  cuda::warp_group_wait<0>();
  float* to = reinterpret_cast<float*>(out) + thread * 4 * N;
#pragma unroll
  for (int n = 0; n < N; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) to[4 * n + i] = sum[n][i];
  }
}

/// Where a box begins, innermost first.
template <int Axes>
struct Place {
  int at[Axes];
};

/// Copies a box to shared memory and from there, as it lies, to `out`: one warp.
template <int Axes>
__global__ void copy_box_kernel(const __grid_constant__ CUtensorMap map, Place<Axes> place, int words,
                                uint32_t* out) {
  TPN_DYNAMIC_SHARED(unsigned char, shared);
  TPN_SHARED(PhaseBarrier, arrived, 1);
  if (threadIdx.x == 0) {
    arrived->init(1);
    PhaseBarrier::init_fence();
    arrived->arrive_expecting(4 * words);
    cuda::copy_box(shared, map, *arrived, place.at);
  }
  __syncthreads();
  arrived->wait_watched(0);
  for (int i = static_cast<int>(threadIdx.x); i < words; i += 32) {
    out[i] = reinterpret_cast<const uint32_t*>(shared)[i];
  }
}

std::vector<uint32_t> drawn(std::size_t count, const Draw& draw, std::mt19937& random) {
  std::vector<uint32_t> words;
  words.reserve(count);
  for (std::size_t i = 0; i < count; ++i) words.push_back(draw(random));
  return words;
}

std::vector<uint32_t> downloaded(const Buffer& words, const std::string& name) {
  std::vector<uint32_t> result(words.bytes() / 4);
  cuda::check(cudaMemcpy(result.data(), words.data(), words.bytes(), cudaMemcpyDeviceToHost),
              "running the primitive " + name);
  return result;
}

template <class T, int N, bool Transposed = false>
Primitive run_warp_group(const std::string& type) {
  const std::string name =
      std::string(Transposed ? "wgmma_transposed_" : "wgmma_") + type + "_" + std::to_string(8 * N);
  std::mt19937 random(N);
  std::vector<uint32_t> in = drawn((group_rows + 8 * N) * row_words, unit_halves<T>, random);
  const std::vector<uint32_t> sums = drawn(std::size_t{group_threads} * 4 * N, unit_float, random);
  in.insert(in.end(), sums.begin(), sums.end());
  const auto input = cuda::upload_constant(in.data(), 4 * in.size());
  const Buffer output = cuda::allocate_device(4 * sums.size());
  cuda::launch(name.c_str(), warp_group_kernel<T, N, Transposed>,
               {.grid = dim3(1),
                .block = dim3(group_threads),
                .shared_bytes = std::size_t{4} * row_words * (group_rows + 8 * N)},
               nullptr, reinterpret_cast<const uint32_t*>(input->data()),
               reinterpret_cast<uint32_t*>(output.data()));
  return {name, true, downloaded(output, name)};
}

/// The tensor is random words; its axes are dense.
template <int Axes>
Primitive run_copy_box(const std::string& name, cuda::TensorAxes axes, const Place<Axes>& place) {
  std::mt19937 random(Axes);
  std::int64_t bytes = 2, box_words = 1;
  for (cuda::TensorAxis& axis : axes) {
    axis.stride = bytes;
    bytes *= axis.extent;
    box_words *= axis.box / axis.step;
  }
  box_words /= 2;
  const std::vector<uint32_t> in = drawn(static_cast<std::size_t>(bytes) / 4, any_bits, random);
  const auto input = cuda::upload_constant(in.data(), 4 * in.size());
  const Buffer output = cuda::allocate_device(4 * static_cast<std::size_t>(box_words));
  cuda::launch(name.c_str(), copy_box_kernel<Axes>,
               {.grid = dim3(1), .block = dim3(32), .shared_bytes = static_cast<std::size_t>(4 * box_words)},
               nullptr, cuda::encode_tensor_map(input->data(), ConvType::bf16, axes), place,
               static_cast<int>(box_words), reinterpret_cast<uint32_t*>(output.data()));
  return {name, false, downloaded(output, name)};
}

}  // namespace

// The boxes begin before their tensors, end behind them, and in five directions skip elements.
std::vector<Primitive> run_hopper_primitives() {
  return {run_copy_box<2>("copy_box_2d", {{.extent = 96, .box = 64}, {.extent = 20, .box = 24}}, {{48, -3}}),
          run_copy_box<5>("copy_box_5d",
                          {{.extent = 128, .box = 64},
                           {.extent = 5, .box = 8, .step = 2},
                           {.extent = 4, .box = 3},
                           {.extent = 3, .box = 6, .step = 3},
                           {.extent = 2, .box = 2}},
                          {{64, -1, 2, -1, 1}}),
          run_warp_group<F16, 8>("f16"),
          run_warp_group<F16, 16>("f16"),
          run_warp_group<Bf16, 32>("bf16"),
          run_warp_group<F16, 8, true>("f16"),
          run_warp_group<Bf16, 16, true>("bf16"),
          run_warp_group<F16, 32, true>("f16")};
}

}  // namespace tpn::test
