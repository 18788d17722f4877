// Matrix loads and products as tensor cores do them. All lanes of a warp call these together.
#pragma once

#include <cstdint>

namespace tpn {
struct Bf16;
struct F16;
namespace cuda {
struct Tf32;
}
}  // namespace tpn

namespace tpn::cuda_on_cpu {

enum class Operand : std::uint8_t { bf16, f16, tf32 };

template <class T>
struct OperandOf;
template <>
struct OperandOf<Bf16> {
  static constexpr Operand value = Operand::bf16;
};
template <>
struct OperandOf<F16> {
  static constexpr Operand value = Operand::f16;
};
template <>
struct OperandOf<cuda::Tf32> {
  static constexpr Operand value = Operand::tf32;
};

/// As ldmatrix_x4 and ldmatrix_x4_transposed in kernels/cuda/device.cuh, of `count` (1, 2 or 4) matrices.
void ldmatrix(std::uint32_t* result, int count, const void* row);
void ldmatrix_transposed(std::uint32_t* result, int count, const void* row);

/// sum: [m][n][4], a: [m][4], b: [n][2], the registers of the calling lane.
void multiply_fragments(Operand type, int m, int n, float* sum, const std::uint32_t* a,
                        const std::uint32_t* b);

/// As mma_block in kernels/cuda/device.cuh.
template <class T, int M, int N>
void mma_block(float (&sum)[M][N][4], const std::uint32_t (&a)[M][4], const std::uint32_t (&b)[N][2]) {
  multiply_fragments(OperandOf<T>::value, M, N, &sum[0][0][0], &a[0][0], &b[0][0]);
}

}  // namespace tpn::cuda_on_cpu
