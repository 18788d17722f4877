#include "kernels/ops/sgd.h"

#include <array>
#include <cmath>
#include <cstring>

#include "kernels/cpu/compile.h"
#include "kernels/cpu/loop_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/sections.h"
#include "kernels/cpu/vectorize.h"

namespace tpn::cpu {
namespace {

TPN_VECTORIZE double sum_of_squares(const float* x, std::int64_t count) {
  // Independent sums, so that the loop vectorises without reassociation; so many that compilers keep the
  // inner one as a loop, of which they make vectors.
  constexpr std::int64_t width = 32;
  double lanes[width] = {};
  std::int64_t i = 0;
  for (; i + width <= count; i += width) {
    for (std::int64_t j = 0; j < width; ++j)
      lanes[j] += static_cast<double>(x[i + j]) * static_cast<double>(x[i + j]);
  }
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  for (; i < count; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return sum;
}

/// What is the same for every element of a step.
struct Update {
  float rate, gradient_factor, weight_decay, momentum;
  bool nesterov;
};

TPN_VECTORIZE void update(const Update& u, const float* gradient, const float* old, const float* old_momentum,
                          float* parameter, float* momentum, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float d = gradient[i] * u.gradient_factor + u.weight_decay * old[i];
    const float moved = u.momentum * old_momentum[i] + d;
    momentum[i] = moved;
    parameter[i] = old[i] - u.rate * (u.nesterov ? d + u.momentum * moved : moved);
  }
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::GradientNorm&, const Signature&) {
  return loop_kernel([](std::span<const ConstTensorView> in, std::span<const TensorView> out) {
    double total = 0;
    for (const ConstTensorView& gradient : in.subspan(1)) {
      std::array<double, sections> sums{};
      const float* g = elements<float>(gradient);
      for_each_section(gradient.shape.count(), [&](std::int64_t s, std::int64_t begin, std::int64_t end) {
        sums[static_cast<std::size_t>(s)] = sum_of_squares(g + begin, end - begin);
      });
      for (const double sum : sums) total += sum;
    }
    *elements<float>(out[0]) =
        static_cast<float>(std::sqrt(total) / static_cast<double>(*elements<float>(in[0])));
  });
}

std::unique_ptr<Kernel> compile(const ops::Sgd& op, const Signature&) {
  return loop_kernel([op](std::span<const ConstTensorView> in, std::span<const TensorView> out) {
    const auto scalar = [&](std::size_t i) { return static_cast<double>(*elements<float>(in[i])); };
    const double norm = scalar(2);
    if (!std::isfinite(norm)) {  // f16 overflowed: nothing is learned from this step
      for (std::size_t i = 0; 3 * i + 3 < in.size(); ++i) {
        const auto keep = [](const ConstTensorView& from, const TensorView& to) {
          if (from.data != to.data) std::memcpy(to.data, from.data, from.bytes());
        };
        keep(in[3 * i + 3], out[2 * i]);
        keep(in[3 * i + 5], out[2 * i + 1]);
      }
      return;
    }
    const double clip = op.max_norm > 0 ? std::min(1.0, op.max_norm / (norm + 1e-6)) : 1.0;
    const Update u{static_cast<float>(scalar(0)), static_cast<float>(clip / scalar(1)),
                   static_cast<float>(op.weight_decay), static_cast<float>(op.momentum), op.nesterov};
    for (std::size_t i = 0; 3 * i + 3 < in.size(); ++i) {
      const float *p = elements<float>(in[3 * i + 3]), *g = elements<float>(in[3 * i + 4]),
                  *m = elements<float>(in[3 * i + 5]);
      float *new_p = elements<float>(out[2 * i]), *new_m = elements<float>(out[2 * i + 1]);
      parallel_for(in[3 * i + 3].shape.count(), elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
        update(u, g + begin, p + begin, m + begin, new_p + begin, new_m + begin, end - begin);
      });
    }
  });
}

}  // namespace tpn::cpu
