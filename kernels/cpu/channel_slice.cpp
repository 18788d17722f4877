#include <cstring>

#include "kernels/cpu/compile.h"
#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/ops/concat.h"

namespace tpn::cpu {

std::unique_ptr<Kernel> compile(const ops::ChannelSlice& op, const Signature&) {
  return loop_kernel([begin_channel = op.begin](std::span<const ConstTensorView> in,
                                                std::span<const TensorView> out) {
    const auto element = static_cast<std::int64_t>(size_of(out[0].dtype));
    const std::int64_t wide = in[0].shape[4] * element, narrow = out[0].shape[4] * element;
    const std::int64_t pixels = out[0].shape.count() / out[0].shape[4];
    parallel_for(pixels, elementwise_grain / out[0].shape[4] + 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        std::memcpy(out[0].data + i * narrow, in[0].data + i * wide + begin_channel * element,
                    static_cast<std::size_t>(narrow));
      }
    });
  });
}

}  // namespace tpn::cpu
