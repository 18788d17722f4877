// How a network computes. Part of the public interface: no more than the standard library, and no functions.
#pragma once

namespace tpn {

/// Of activations and weights; sums are always f32. f16 and tf32 (f32 in memory, factors rounded to 10 bits
/// of mantissa) are for GPUs; bf16 needs AVX-512 on a CPU.
enum class Precision { f32, bf16, f16, tf32 };

}  // namespace tpn
