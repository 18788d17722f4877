#include <utility>

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/memory.h"
#include "tests/cuda_primitives/draws.h"
#include "tests/cuda_primitives/hopper_primitives.h"
#include "tests/cuda_primitives/primitives.h"

namespace tpn::test {
namespace {

using cuda::load_vector;
using cuda::store_vector;
using std::uint32_t;

constexpr int lanes = 32;
constexpr int warps = 4;  ///< of one block each, with other inputs
constexpr unsigned all_lanes = 0xffffffffU;

/// Of a lane among those of all warps.
__device__ std::int64_t slot() {
  return std::int64_t{blockIdx.x} * lanes + threadIdx.x;
}

// --- Kernels. `in` and `out` hold, lane after lane, the words that the comment says.

/// 1 word, 16 bits of it, to 1 word.
template <class T>
__global__ void to_float_kernel(const uint32_t* in, uint32_t* out) {
  T value;
  value.bits = static_cast<std::uint16_t>(in[slot()]);
  reinterpret_cast<float*>(out)[slot()] = cuda::to_float(value);
}

/// 1 word to 1 word, 16 bits of it.
template <class T>
__global__ void from_float_kernel(const uint32_t* in, uint32_t* out) {
  out[slot()] = cuda::from_float<T>(reinterpret_cast<const float*>(in)[slot()]).bits;
}

/// 1 word to 1.
__global__ void round_to_tf32_kernel(const uint32_t* in, uint32_t* out) {
  out[slot()] = cuda::round_to_tf32(in[slot()]);
}

using Row = cuda::Vector<uint32_t, 4>;

/// 4 words to 4: the copy of each third lane is not valid, and each lane reads what the next one copied.
__global__ void cp_async_kernel(const uint32_t* in, uint32_t* out) {
  TPN_SHARED(Row, copied, lanes);
  const int lane = static_cast<int>(threadIdx.x);
  cuda::cp_async_16(&copied[lane], in + 4 * slot(), lane % 3 != 0);
  cuda::cp_async_commit();
  cuda::cp_async_wait<0>();
  __syncwarp();
  store_vector<4>(out + 4 * slot(), copied[(lane + 1) % lanes]);
}

/// 4 words, a row of 16 bytes, to 4; rows are permuted.
template <bool Transposed>
__global__ void ldmatrix_kernel(const uint32_t* in, uint32_t* out) {
  TPN_SHARED(Row, rows, lanes);
  const int lane = static_cast<int>(threadIdx.x);
  rows[lane] = load_vector<4>(in + 4 * slot());
  __syncwarp();
  uint32_t result[4];
  const Row* row = &rows[5 * lane % lanes];
  Transposed ? cuda::ldmatrix_x4_transposed(result, row) : cuda::ldmatrix_x4(result, row);
  for (int i = 0; i < 4; ++i) out[4 * slot() + i] = result[i];
}

/// 4 M + 2 N + 4 M N words (a, b and the sums) to 4 M N.
template <class T, int M, int N>
__global__ void mma_kernel(const uint32_t* in, uint32_t* out) {
  uint32_t a[M][4];
  uint32_t b[N][2];
  float sum[M][N][4];
  const uint32_t* next = in + (4 * M + 2 * N + 4 * M * N) * slot();
  for (int m = 0; m < M; ++m)
    for (int i = 0; i < 4; ++i) a[m][i] = *next++;
  for (int n = 0; n < N; ++n)
    for (int i = 0; i < 2; ++i) b[n][i] = *next++;
  for (int m = 0; m < M; ++m)
    for (int n = 0; n < N; ++n)
      for (int i = 0; i < 4; ++i) sum[m][n][i] = reinterpret_cast<const float&>(*next++);
  cuda::mma_block<T, M, N>(sum, a, b);
  float* result = reinterpret_cast<float*>(out) + std::int64_t{4} * M * N * slot();
  for (int m = 0; m < M; ++m)
    for (int n = 0; n < N; ++n)
      for (int i = 0; i < 4; ++i) *result++ = sum[m][n][i];
}

/// 1 word to 7.
__global__ void collectives_kernel(const uint32_t* in, uint32_t* out) {
  const uint32_t value = in[slot()];
  uint32_t* result = out + 7 * slot();
  result[0] = __shfl_sync(all_lanes, value, static_cast<int>(value % lanes));
  result[1] = __shfl_xor_sync(all_lanes, value, 5);
  result[2] = __shfl_up_sync(all_lanes, value, 3);
  result[3] = __shfl_down_sync(all_lanes, value, 7);
  result[4] = __shfl_xor_sync(all_lanes, value, 2, 8);
  result[5] = __ballot_sync(all_lanes, value % 2 == 1);
  result[6] = __any_sync(all_lanes, value == 0) != 0 ? 1 : 0;
}

using Kernel = void (*)(const uint32_t*, uint32_t*);

// --- Running them

/// Runs the kernel on the default stream.
std::vector<uint32_t> run(const std::string& name, Kernel kernel, const std::vector<uint32_t>& in,
                          std::size_t out_words) {
  const auto input = cuda::upload_constant(in.data(), 4 * in.size());
  const Buffer output = cuda::allocate_device(4 * out_words);
  cuda::launch(name.c_str(), kernel, {dim3(warps), dim3(lanes)}, nullptr,
               reinterpret_cast<const uint32_t*>(input->data()), reinterpret_cast<uint32_t*>(output.data()));
  std::vector<uint32_t> out(out_words);
  cuda::check(cudaMemcpy(out.data(), output.data(), 4 * out_words, cudaMemcpyDeviceToHost),
              "running the primitive " + name);
  return out;
}

class Runner {
 public:
  /// draws: of the words of each lane.
  void add(const std::string& name, bool sums, Kernel kernel, const std::vector<Draw>& draws, int out_words) {
    std::mt19937 random(static_cast<uint32_t>(primitives_.size() + 1));
    std::vector<uint32_t> in;
    for (int i = 0; i < warps * lanes; ++i)
      for (const Draw& draw : draws) in.push_back(draw(random));
    const auto words = std::size_t{warps} * lanes * static_cast<std::size_t>(out_words);
    primitives_.push_back({name, sums, run(name, kernel, in, words)});
  }

  template <class T, int M, int N>
  void add_mma(const std::string& name, const Draw& operand) {
    std::vector<Draw> draws(4 * M + 2 * N, operand);
    draws.insert(draws.end(), std::size_t{4} * M * N, unit_float);
    add(name + "_" + std::to_string(M) + "x" + std::to_string(N), true, mma_kernel<T, M, N>, draws,
        4 * M * N);
  }

  [[nodiscard]] std::vector<Primitive> take() { return std::move(primitives_); }

 private:
  std::vector<Primitive> primitives_;
};

}  // namespace

std::vector<Primitive> run_primitives() {
  const std::vector<Draw> row(4, any_bits);
  Runner runner;
  runner.add("to_float_bf16", false, to_float_kernel<Bf16>, {[](auto& r) { return any_float(r) >> 16; }}, 1);
  runner.add("to_float_f16", false, to_float_kernel<F16>, {[](auto& r) { return any_bits(r) & 0xfbffU; }}, 1);
  runner.add("from_float_bf16", false, from_float_kernel<Bf16>, {any_float}, 1);
  runner.add("from_float_f16", false, from_float_kernel<F16>, {any_float}, 1);
  runner.add("round_to_tf32", false, round_to_tf32_kernel, {any_float}, 1);
  runner.add("cp_async_16", false, cp_async_kernel, row, 4);
  runner.add("ldmatrix_x4", false, ldmatrix_kernel<false>, row, 4);
  runner.add("collectives", false, collectives_kernel, {any_bits}, 7);
  runner.add_mma<Bf16, 1, 1>("mma_bf16", unit_halves<Bf16>);
  runner.add_mma<Bf16, 2, 4>("mma_bf16", unit_halves<Bf16>);
  runner.add_mma<F16, 1, 1>("mma_f16", unit_halves<F16>);
  runner.add_mma<F16, 2, 4>("mma_f16", unit_halves<F16>);
  runner.add_mma<cuda::Tf32, 1, 1>("mma_tf32", unit_tf32);
  runner.add_mma<cuda::Tf32, 2, 4>("mma_tf32", unit_tf32);
  runner.add("ldmatrix_x4_transposed", false, ldmatrix_kernel<true>, row, 4);
  std::vector<Primitive> primitives = runner.take();
#if defined(TPN_HAS_WGMMA) || defined(CUDA_ON_CPU)
  if (cuda::device_attribute(cudaDevAttrComputeCapabilityMajor, cuda::current_device()) == 9) {
    for (Primitive& primitive : run_hopper_primitives()) primitives.push_back(std::move(primitive));
  }
#endif
  return primitives;
}

}  // namespace tpn::test
