// The fast CPU version of kernels/ops/color_jitter.h.
#pragma once

#include "kernels/ops/color_jitter.h"

namespace tpn::cpu {

/// Equals color_jitter_reference but for the rounding of sums before they are truncated: by one level mostly,
/// by more where a level changes what hue is turned and then made stronger. `out` may be the source. Throws
/// Error as check_color_jitter().
void color_jitter(const ColorJitter& attributes, const ImageView& source, const MutableImageView& out);

}  // namespace tpn::cpu
