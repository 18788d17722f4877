// Operations on bf16 activations that compute in f32.
#pragma once

#include <functional>
#include <memory>

#include "kernels/backend.h"

namespace tpn::cpu {

/// A kernel for bf16 activations from the one that `compile` makes for f32: they are converted on the way in
/// and out, and what the f32 kernel reads packed is rounded to bf16, so that the numbers are those of a bf16
/// kernel. signature: with activations in bf16; weights have to be read packed.
std::unique_ptr<Kernel> widen(const Signature& signature,
                              const std::function<std::unique_ptr<Kernel>(const Signature&)>& compile);

}  // namespace tpn::cpu
