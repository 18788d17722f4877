#include "kernels/ops/concat.h"

#include <cstring>

#include "kernels/cpu/compile.h"
#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/parallel.h"

namespace tpn::cpu {

std::unique_ptr<Kernel> compile(const ops::Concat&, const Signature&) {
  return loop_kernel([](std::span<const ConstTensorView> in, std::span<const TensorView> out) {
    const std::int64_t channels = out[0].shape[4], cells = out[0].shape.count() / channels;
    const auto element = static_cast<std::int64_t>(size_of(out[0].dtype));
    parallel_for(cells, elementwise_grain / channels + 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t cell = begin; cell < end; ++cell) {
        std::byte* to = out[0].data + cell * channels * element;
        for (const ConstTensorView& x : in) {
          const std::int64_t bytes = x.shape[4] * element;
          std::memcpy(to, x.data + cell * bytes, static_cast<std::size_t>(bytes));
          to += bytes;
        }
      }
    });
  });
}

}  // namespace tpn::cpu
