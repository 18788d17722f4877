// The fast CPU version of kernels/ops/normalize_crop.h.
#pragma once

#include <span>

#include "kernels/ops/normalize_crop.h"

namespace tpn::cpu {

/// Writes one view (T, H, W, C) from T frames of at least the crop's extent; equals normalize_crop_reference
/// bit for bit. Throws Error when the shapes do not fit.
void normalize_crop(const NormalizeCrop& attributes, std::span<const ImageView> frames,
                    const TensorView& out);

}  // namespace tpn::cpu
