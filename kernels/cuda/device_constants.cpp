#include "kernels/cuda/device_constants.h"

#include <algorithm>
#include <string>
#include <vector>

#include "kernels/batch_norm_folding.h"
#include "kernels/convert.h"
#include "kernels/cuda/memory.h"

namespace tpn::cuda {

NormConstants norm_constants(std::span<const Operand> norm, double eps, PreparedWeights& prepared) {
  const std::string key = "cuda|norm|" + std::to_string(eps) + "|" + norm[0].constant->name;
  return *prepared.get<NormConstants>(key, [&] {
    const FoldedNorm folded = fold_batch_norm(norm, eps);
    const std::size_t count = folded.scale.size();
    const std::size_t padded = (count + channel_alignment - 1) / channel_alignment * channel_alignment;
    std::vector<float> both(2 * padded, 0.0F);
    std::copy(folded.scale.begin(), folded.scale.end(), both.begin());
    std::copy(folded.shift.begin(), folded.shift.end(), both.begin() + static_cast<std::ptrdiff_t>(padded));
    return std::make_shared<const NormConstants>(NormConstants{
        upload_constant(both.data(), both.size() * sizeof(float)), static_cast<std::int64_t>(padded)});
  });
}

std::shared_ptr<const Buffer> float_constant(const Constant& constant, PreparedWeights& prepared) {
  return prepared.get<Buffer>("cuda|f32|" + constant.name, [&] {
    const std::vector<float> values = to_floats(constant.view);
    if (constant.release) constant.release();
    return upload_constant(values.data(), values.size() * sizeof(float));
  });
}

}  // namespace tpn::cuda
