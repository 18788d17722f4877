// Whether computing in bf16 is worth it.
#pragma once

namespace tpn::cpu {

/// Whether the processor, as far as oneDNN may use it, multiplies bf16 faster than f32. Found once, then the
/// same answer. Without instructions for bf16 oneDNN's kernels take two to five times as long as those of
/// f32; with those of AVX-512 some processors are twice as fast as in f32, and some half as fast.
bool gains_by_bf16();

/// How often as long one of AVX-512's instructions for bf16, which makes twice as many products, takes as one
/// for f32. Only where the processor has them.
double bf16_instruction_ratio();

/// The instructions themselves: so many in a row, 12 at a time. Only where the processor has them.
void repeat_f32_products(int count);
void repeat_bf16_products(int count);

}  // namespace tpn::cpu
