// How a convolution, and its weight's gradient, are cut into tiles and splits, and about how long that takes.
#pragma once

#include <span>
#include <vector>

#include "kernels/cuda/conv_form.h"
#include "kernels/cuda/weight_gradient_variants.h"

namespace tpn::cuda {

/// What the estimate needs to know of a device.
struct ConvDevice {
  int multiprocessors = 132;
  int shared_bytes_per_block = 0;
  int shared_bytes_per_multiprocessor = 0;
  double products_per_clock = 0;             ///< of a multiprocessor, in the convolution's type
  double warp_group_products_per_clock = 0;  ///< likewise, by warp groups; 0: it has no such products
};

/// Of the current device; throws Error when it cannot be asked.
ConvDevice conv_device(ConvType type);

/// The way a variant would run a convolution.
struct ConvChoice {
  ConvVariant variant;
  ConvSchedule schedule;
  double clocks = 0;  ///< that the estimate gives
};

/// Whether the device and the convolution, a product, allow the variant.
bool runs(const ConvForm& form, const ConvTile& tile, const ConvDevice& device);

/// form: of a product. splits: at least 1; fewer are made where steps do not suffice.
ConvChoice choose_schedule(const ConvForm& form, const ConvVariant& variant, int splits,
                           const ConvDevice& device);

/// The ways of a variant that runs() it: whole, and then in splits where that should be faster.
std::vector<ConvChoice> choices_of(const ConvForm& form, const ConvVariant& variant,
                                   const ConvDevice& device);

/// Each variant that runs() it, whole and, where that should be faster, in splits; the fastest first,
/// as far as the estimate can tell.
std::vector<ConvChoice> conv_choices(const ConvForm& form, std::span<const ConvVariant> variants,
                                     const ConvDevice& device);

/// Bytes of partial sums; 0 without splits.
std::int64_t partial_bytes(const ConvForm& form, const ConvSchedule& schedule);

/// The way a variant would run the gradient of a convolution's weight.
struct WeightGradientChoice {
  WeightGradientVariant variant;
  ConvSchedule schedule;  ///< row tiles are of output channels, column tiles of the depth, steps of positions
  double clocks = 0;      ///< that the estimate gives
};

/// Whether the device and the convolution, a product, allow the variant of the gradient.
bool runs(const ConvForm& form, const WeightGradientVariant& variant, const ConvDevice& device);

/// form: of the convolution as a product. splits: at least 1; fewer are made where steps do not suffice.
WeightGradientChoice choose_schedule(const ConvForm& form, const WeightGradientVariant& variant, int splits,
                                     const ConvDevice& device);

/// Each variant that runs() it in the splits that should be fastest; the fastest first, as far as the
/// estimate can tell.
std::vector<WeightGradientChoice> weight_gradient_choices(const ConvForm& form,
                                                          std::span<const WeightGradientVariant> variants,
                                                          const ConvDevice& device);

/// Bytes of partial sums, which there are without splits too.
std::int64_t weight_partial_bytes(const ConvForm& form, const ConvSchedule& schedule);

}  // namespace tpn::cuda
