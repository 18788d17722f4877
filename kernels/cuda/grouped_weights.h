// Weights of grouped convolutions of one pixel, with or without taps in time, in the orders that the kernels
// over tiles of groups read them in.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "kernels/convert.h"
#include "kernels/cuda/memory.h"
#include "kernels/half.h"

namespace tpn::cuda {

/// Sizes of a grouped convolution.
struct GroupedSizes {
  int in_per_group = 1;   ///< C / groups
  int out_per_group = 1;  ///< O / groups
  int outputs = 1;        ///< O
  int taps = 1;           ///< in time
};

enum class WeightOrder {
  by_output,   ///< (O, taps, C / groups)
  by_channel,  ///< (C / groups, taps, O rounded up to 32), zeros past O
};

/// What O is rounded up to in WeightOrder::by_channel.
inline constexpr int output_alignment = 32;

/// A weight (O, C / groups, taps, 1, 1) in that order, in device memory, rounded to T.
template <class T>
std::shared_ptr<const Buffer> grouped_weights(const Constant& weight, const GroupedSizes& sizes,
                                              WeightOrder order, PreparedWeights& prepared) {
  const bool by_output = order == WeightOrder::by_output;
  const std::string key = std::string("cuda|grouped|") + (by_output ? "by_output|" : "by_channel|") +
                          std::to_string(sizeof(T)) + (std::is_same_v<T, F16> ? "h|" : "|") + weight.name;
  return prepared.get<Buffer>(key, [&] {
    const std::vector<float> values = to_floats(weight.view);
    if (weight.release) weight.release();
    const auto size = [](int n) { return static_cast<std::size_t>(n); };
    const std::size_t outputs = size(sizes.outputs), channels = size(sizes.in_per_group),
                      taps = size(sizes.taps);
    const std::size_t columns = (outputs + output_alignment - 1) / output_alignment * output_alignment;
    std::vector<T> packed((by_output ? outputs : columns) * channels * taps, T(0.0F));
    for (std::size_t o = 0; o < outputs; ++o) {
      for (std::size_t c = 0; c < channels; ++c) {
        for (std::size_t a = 0; a < taps; ++a) {
          const std::size_t to = by_output ? (o * taps + a) * channels + c : (c * taps + a) * columns + o;
          packed[to] = T(values[(o * channels + c) * taps + a]);
        }
      }
    }
    return upload_constant(packed.data(), packed.size() * sizeof(T));
  });
}

}  // namespace tpn::cuda
