// concat: copies each part into its channels of the output.
//
// One launch per part. Where parts begin on vectors one thread copies 16 bytes; otherwise one thread copies
// one element. (Plans let the parts be written in place where they can, so this runs rarely.) Bytes: the
// parts and y once.
#include "kernels/cuda/compile.h"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/ops/concat.h"

namespace tpn::cuda {
namespace {

/// Which channels of y a part fills. The last part fills the padding too, with zeros.
struct ConcatPart {
  Divisor units;            ///< groups of Count channels that are written
  std::uint32_t count = 0;  ///< of those, in all pixels
  int channels = 0;         ///< of x
  int offset = 0;           ///< in y
  std::int64_t x_stride = 0, y_stride = 0;
};

/// y[pixel][offset + c] = x[pixel][c], or 0 past x's channels, Count channels at a time.
template <class T, int Count>
__global__ void __launch_bounds__(256) concat_part(const T* x, T* y, ConcatPart p) {
  for_each_index(p.count, [&](std::uint32_t i) {
    const auto [pixel, unit] = p.units.divide(i);
    const int channel = static_cast<int>(unit) * Count;
    Vector<T, Count> value{};
    if (channel < p.channels) value = load_vector<Count>(x + pixel * p.x_stride + channel);
    store_vector(y + pixel * p.y_stride + p.offset + channel, value);
  });
}

template <class T>
std::unique_ptr<Kernel> compile_parts(std::span<const ActivationLayout> inputs, const ActivationLayout& y) {
  bool on_vectors = true;
  for (const ActivationLayout& x : inputs.first(inputs.size() - 1)) {
    on_vectors = on_vectors && x.c % vector_size<T> == 0;
  }
  const int unit = on_vectors ? vector_size<T> : 1;
  if (!on_vectors) (void)element_count("concat", y);
  std::vector<ConcatPart> parts;
  KernelDescription description{.implementation = on_vectors ? "vectors" : "elements",
                                .work = {.bytes = y.bytes(sizeof(T))}};
  int offset = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const ActivationLayout& x = inputs[i];
    const int written = i + 1 < inputs.size() ? x.c : y.padded_channels() - offset;
    const int count = written / unit * y.pixels();
    parts.push_back(
        {divisor(written / unit), static_cast<std::uint32_t>(count), x.c, offset, x.stride, y.stride});
    offset += x.c;
    description.work.bytes += x.bytes(sizeof(T));
  }
  return launch_kernel(description, [parts, on_vectors](auto in, auto out, cudaStream_t stream) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      launch("concat_part", on_vectors ? concat_part<T, vector_size<T>> : concat_part<T, 1>,
             one_thread_each(parts[i].count), stream, aligned_elements<T>(in[i]), aligned_elements<T>(out[0]),
             parts[i]);
    }
  });
}

}  // namespace

std::unique_ptr<Kernel> compile(const ops::Concat& op, const Signature& s) {
  std::vector<ActivationLayout> inputs;
  for (const Operand& input : s.inputs) inputs.push_back(activation_layout(op.name, input));
  const ActivationLayout y = activation_layout(op.name, s.outputs[0]);
  return with_element_type(s.inputs[0].dtype, [&]<class T>(T) { return compile_parts<T>(inputs, y); });
}

}  // namespace tpn::cuda
