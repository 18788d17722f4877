// Forms of parameters: one thread an element. A form is written in order, and its elements read where they
// are stored: those of neighbouring threads are as far apart as a weight has taps, so that most of what a
// warp fetches beyond its own elements comes from the cache for the next one. Bytes: the stored weight and
// the form once; a network of 25 million weights is packed into bf16 in 0.15 GB.
#include <limits>

#include "kernels/batch_norm_folding.h"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/cuda/packed_type.cuh"
#include "kernels/cuda/packing.h"

namespace tpn::cuda {
namespace {

/// A Permutation as the kernel reads it.
struct PermutationShape {
  explicit PermutationShape(const Permutation& p)
      : b(static_cast<std::uint32_t>(p.extents[1])),
        c(static_cast<std::uint32_t>(p.extents[2])),
        stride_a(p.strides[0]),
        stride_b(p.strides[1]),
        stride_c(p.strides[2]),
        valid_a(static_cast<std::uint32_t>(p.valid_a)),
        valid_c(static_cast<std::uint32_t>(p.valid_c)) {}

  Divisor b, c;  ///< by the extents
  std::int64_t stride_a, stride_b, stride_c;
  std::uint32_t valid_a, valid_c;
};

/// weight: as stored; scale: (a) or null; packed: (a, b, c).
template <class Type>
__global__ void __launch_bounds__(256)
    pack_permuted(const float* weight, const float* scale, PackedElement<Type>* packed, PermutationShape s,
                  std::uint32_t count) {
  for_each_index(count, [&](std::uint32_t i) {
    const auto [row, c] = s.c.divide(i);
    const auto [a, b] = s.b.divide(row);
    float value = 0;
    if (a < s.valid_a && c < s.valid_c) {
      value = weight[a * s.stride_a + b * s.stride_b + c * s.stride_c];
      if (scale != nullptr) value *= scale[a];
    }
    packed[i] = to_packed<Type>(value);
  });
}

/// packed: (a, b, c); weight: as stored.
__global__ void __launch_bounds__(256)
    unpack_permuted(const float* packed, float* weight, PermutationShape s, std::uint32_t count) {
  for_each_index(count, [&](std::uint32_t i) {
    const auto [row, c] = s.c.divide(i);
    const auto [a, b] = s.b.divide(row);
    if (a < s.valid_a && c < s.valid_c) weight[a * s.stride_a + b * s.stride_b + c * s.stride_c] = packed[i];
  });
}

/// The elements of a form. Throws Error when there are too many.
std::uint32_t element_count(const Permutation& permutation) {
  const std::int64_t count = permutation.count();
  if (count > std::numeric_limits<std::int32_t>::max()) {
    throw Error("A weight of " + std::to_string(count) + " elements is larger than the device cuda counts.");
  }
  return static_cast<std::uint32_t>(count);
}

/// norm_scale, norm_shift, mean, variance: (channels); scale, shift: (padded).
template <class T>
__global__ void __launch_bounds__(256)
    fold_norm(const float* norm_scale, const float* norm_shift, const float* mean, const float* variance,
              double eps, int channels, float* scale, T* shift, int padded) {
  for_each_index(static_cast<std::uint32_t>(padded), [&](std::uint32_t c) {
    FoldedChannel folded{0, 0};
    if (static_cast<int>(c) < channels) {
      folded = fold_channel(norm_scale[c], norm_shift[c], mean[c], variance[c], eps);
    }
    scale[c] = folded.scale;
    shift[c] = from_float<T>(folded.shift);
  });
}

class PermutedPacking final : public Packing {
 public:
  PermutedPacking(const std::string& form, const Signature& signature, std::size_t source, ConvType type,
                  const Permutation& permutation)
      : Packing("cuda " + form + " " + name_of(type), signature.inputs, {source},
                static_cast<std::size_t>(permutation.count() * element_bytes(type))),
        type_(type),
        permutation_(permutation) {}

  void pack(std::span<const ConstTensorView> sources, std::byte* packed, Stream& stream) const override {
    enqueue_permutation(permutation_, type_, elements<float>(sources[0]), nullptr, packed, stream_of(stream));
  }

 private:
  ConvType type_;
  Permutation permutation_;
};

class NormPacking final : public Packing {
 public:
  NormPacking(std::span<const Operand> operands, std::size_t first, int padded, double eps)
      : Packing("cuda " + norm_key(eps), operands, {first, first + 1, first + 2, first + 3},
                2 * static_cast<std::size_t>(padded) * sizeof(float)),
        padded_(padded),
        eps_(eps),
        variance_(operands[first + 3].name) {}

  void pack(std::span<const ConstTensorView> sources, std::byte* packed, Stream& stream) const override {
    auto* const scale = reinterpret_cast<float*>(packed);
    enqueue_folding(sources, eps_, padded_, scale, scale + padded_, stream_of(stream));
  }
  void check(std::span<const ConstTensorView> sources) const override {
    check_batch_norm(sources, eps_, variance_);
  }

 private:
  int padded_;
  double eps_;
  std::string variance_;
};

}  // namespace

void enqueue_permutation(const Permutation& permutation, ConvType type, const float* weight,
                         const float* scale, std::byte* packed, cudaStream_t stream) {
  const std::uint32_t count = element_count(permutation);
  with_packed_type(type, [&]<class Type>(std::type_identity<Type>) {
    launch("pack_permuted", pack_permuted<Type>, one_thread_each(count), stream, weight, scale,
           reinterpret_cast<PackedElement<Type>*>(packed), PermutationShape(permutation), count);
  });
}

void enqueue_inverse_permutation(const Permutation& permutation, const float* packed, float* weight,
                                 cudaStream_t stream) {
  const std::uint32_t count = element_count(permutation);
  launch("unpack_permuted", unpack_permuted, one_thread_each(count), stream, packed, weight,
         PermutationShape(permutation), count);
}

template <class T>
void enqueue_folding(std::span<const ConstTensorView> norm, double eps, int padded, float* scale, T* shift,
                     cudaStream_t stream) {
  launch("fold_norm", fold_norm<T>, one_thread_each(padded), stream, elements<float>(norm[0]),
         elements<float>(norm[1]), elements<float>(norm[2]), elements<float>(norm[3]), eps,
         static_cast<int>(norm[0].shape.count()), scale, shift, padded);
}
template void enqueue_folding(std::span<const ConstTensorView>, double, int, float*, float*, cudaStream_t);
template void enqueue_folding(std::span<const ConstTensorView>, double, int, float*, F16*, cudaStream_t);
template void enqueue_folding(std::span<const ConstTensorView>, double, int, float*, Bf16*, cudaStream_t);

std::shared_ptr<const Packing> permuted_packing(const std::string& form, const Signature& signature,
                                                std::size_t source, ConvType type,
                                                const Permutation& permutation) {
  return std::make_shared<const PermutedPacking>(form, signature, source, type, permutation);
}

std::shared_ptr<const Packing> channels_last_packing(const Signature& signature, std::size_t source,
                                                     ConvType type) {
  const Shape& weight = signature.inputs[source].shape;
  const std::int64_t channels = weight[1], taps = weight.count() / (weight[0] * channels);
  const auto extent = [](std::int64_t value) { return static_cast<int>(value); };
  return permuted_packing("channels last", signature, source, type,
                          {.extents = {extent(weight[0]), extent(taps), extent(channels)},
                           .strides = {channels * taps, 1, taps},
                           .valid_a = extent(weight[0]),
                           .valid_c = extent(channels)});
}

std::shared_ptr<const Packing> norm_packing(const Signature& signature, std::size_t first, double eps) {
  const auto channels = static_cast<int>(signature.inputs[first].shape.count());
  const int padded = (channels + channel_alignment - 1) & -channel_alignment;
  return std::make_shared<const NormPacking>(signature.inputs, first, padded, eps);
}

NormConstants norm_constants(const std::byte* packed, const Packing& packing) {
  const auto* const scale = reinterpret_cast<const float*>(packed);
  return {scale, scale + packing.bytes() / (2 * sizeof(float))};
}

}  // namespace tpn::cuda
