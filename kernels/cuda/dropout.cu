// dropout: y = x / (1 - rate), or 0 where the random numbers say so.
//
// One thread per 16 bytes of y, with one draw of four numbers for each element: the same elements are kept as
// on every other device. (Ten rounds an element are nothing for the (N,C) of the classifier, all that the
// networks drop.) Seed and step are read on the device, so that a recorded step can be replayed.
#include "kernels/cuda/compile.h"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/ops/dropout.h"

namespace tpn::cuda {
namespace {

/// x and y as pixels of so many channels; a matrix is one pixel of all its elements.
struct DropoutShape {
  Divisor units;            ///< groups of Count channels that are written of a pixel
  std::uint32_t count = 0;  ///< of those, in all pixels
  std::int64_t channels = 0;
  std::int64_t x_stride = 0, y_stride = 0;
};

/// state: seed and number of the step. y may be x.
template <class T, int Count>
__global__ void __launch_bounds__(256)
    dropout(const T* x, const std::int64_t* state, T* y, ops::Dropout op, float factor, DropoutShape s) {
  const std::int64_t seed = state[0], step = state[1];
  for_each_index(s.count, [&](std::uint32_t i) {
    const auto [pixel, unit] = s.units.divide(i);
    const std::int64_t channel = std::int64_t{unit} * Count;
    auto value = load_vector<Count>(x + pixel * s.x_stride + channel);
#pragma unroll
    for (int e = 0; e < Count; ++e) {
      const bool kept = op.keeps(seed, step, pixel * s.channels + channel + e);
      value[e] = from_float<T>(kept ? to_float(value[e]) * factor : 0.0F);
    }
    store_vector(y + pixel * s.y_stride + channel, value);
  });
}

template <class T, int Count>
std::unique_ptr<Kernel> compile_units(const ops::Dropout& op, const DropoutShape& shape) {
  const KernelDescription description{
      .implementation = Count > 1 ? "vectors" : "elements",
      .work = {.bytes = 2 * static_cast<std::int64_t>(Count * sizeof(T)) * shape.count},
      .in_place_input = shape.x_stride == shape.y_stride ? 0 : -1};
  const auto factor = static_cast<float>(1 / (1 - op.rate));
  return launch_kernel(description, [=](auto in, auto out, cudaStream_t stream) {
    launch("dropout", dropout<T, Count>, one_thread_each(shape.count), stream, aligned_elements<T>(in[0]),
           aligned_elements<std::int64_t>(in[1]), aligned_elements<T>(out[0]), op, factor, shape);
  });
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::Dropout& op, const Signature& s) {
  if (s.inputs[0].kind == Kind::matrix) {
    const MatrixLayout x = matrix_layout(op.name, s.inputs[0]);
    const std::int64_t elements = std::int64_t{x.rows} * x.columns;
    const auto shape = [&](int count) {
      const auto units = static_cast<std::uint32_t>(elements / count);
      return DropoutShape{divisor(units), units, elements, elements, elements};
    };
    constexpr int size = vector_size<float>;
    if (elements % size != 0) return compile_units<float, 1>(op, shape(1));
    return compile_units<float, size>(op, shape(size));
  }
  const ActivationLayout x = activation_layout(op.name, s.inputs[0]),
                         y = activation_layout(op.name, s.outputs[0]);
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) {
    const Vectors<T> vectors(y);
    return compile_units<T, vector_size<T>>(op, {vectors.per_pixel, vectors.count, y.c, x.stride, y.stride});
  });
}

}  // namespace tpn::cuda
