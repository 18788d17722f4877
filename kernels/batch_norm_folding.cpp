#include "kernels/batch_norm_folding.h"

#include <array>
#include <cmath>
#include <string>

#include "kernels/convert.h"
#include "kernels/error.h"

namespace tpn {

FoldedNorm fold_batch_norm(std::span<const Operand> operands, double eps) {
  std::array<std::vector<float>, 4> p;  // scale, shift, mean, variance
  for (std::size_t i = 0; i < 4; ++i) {
    p[i] = to_floats(operands[i].constant->view);
    if (operands[i].constant->release) operands[i].constant->release();
  }
  FoldedNorm folded{std::vector<float>(p[0].size()), std::vector<float>(p[0].size())};
  for (std::size_t c = 0; c < p[0].size(); ++c) {
    const double scale = p[0][c] / std::sqrt(static_cast<double>(p[3][c]) + eps);
    folded.scale[c] = static_cast<float>(scale);
    folded.shift[c] = static_cast<float>(p[1][c] - p[2][c] * scale);
    if (!std::isfinite(folded.scale[c]) || !std::isfinite(folded.shift[c])) {
      throw Error("The parameter '" + operands[3].constant->name + "' is " + std::to_string(p[3][c]) +
                  " for channel " + std::to_string(c) +
                  ": with such a variance, batch norm has no finite result.");
    }
  }
  return folded;
}

}  // namespace tpn
