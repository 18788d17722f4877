#include "kernels/batch_norm_folding.h"

#include <bit>
#include <cstdint>

#include "kernels/error.h"

namespace tpn {
namespace {

FoldedChannel fold(std::span<const ConstTensorView> norm, std::size_t c, double eps) {
  const auto of = [&](std::size_t i) { return elements<float>(norm[i])[c]; };
  return fold_channel(of(0), of(1), of(2), of(3), eps);
}

std::size_t channels_of(std::span<const ConstTensorView> norm) {
  return static_cast<std::size_t>(norm[0].shape.count());
}

}  // namespace

FoldedNorm fold_batch_norm(std::span<const ConstTensorView> norm, double eps) {
  const std::size_t channels = channels_of(norm);
  FoldedNorm folded{std::vector<float>(channels), std::vector<float>(channels)};
  for (std::size_t c = 0; c < channels; ++c) {
    const auto [scale, shift] = fold(norm, c, eps);
    folded.scale[c] = scale;
    folded.shift[c] = shift;
  }
  return folded;
}

void check_batch_norm(std::span<const ConstTensorView> norm, double eps, const std::string& variance) {
  for (std::size_t c = 0; c < channels_of(norm); ++c) {
    const auto [scale, shift] = fold(norm, c, eps);
    if (std::isfinite(scale) && std::isfinite(shift)) continue;
    throw Error("The parameter '" + variance + "' is " + std::to_string(elements<float>(norm[3])[c]) +
                " for channel " + std::to_string(c) +
                ": with such a variance, batch norm has no finite result.");
  }
}

std::string norm_key(double eps) {
  return "norm " + std::to_string(std::bit_cast<std::uint64_t>(eps));
}

}  // namespace tpn
