// The order of a matrix product's weights: rows of output channels, each with its depth contiguous,
// in the chunks of 16 bytes that a ProductForm names. One thread a chunk: it reads a few channels under one
// tap and writes 16 bytes. The taps of a block of 128 bytes of channels follow each other in a row, so that
// threads side by side read, between them, the same lines of the stored weight.
#include <limits>
#include <vector>

#include "kernels/cuda/conv_weights.h"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/cuda/memory.h"
#include "kernels/cuda/packed_type.cuh"

namespace tpn::cuda {
namespace {

/// Where 16 bytes of a row come from: elements [begin, end) from the stored weight's row, the first of all at
/// `from`, one every `taps`; the others are zero.
struct PackedChunk {
  std::int32_t from = 0;
  std::int16_t begin = 0, end = 0;
};

/// As many chunks as a row has, with those of its padding.
std::vector<PackedChunk> packed_chunks(const ProductForm& product, const ops::Extent3& kernel) {
  const auto taps = static_cast<std::int32_t>(kernel[0] * kernel[1] * kernel[2]);
  const std::int64_t elements = 16 / element_bytes(product.form.type);
  std::vector<PackedChunk> chunks(static_cast<std::size_t>(product.form.sizes.row_elements / elements));
  for (std::size_t i = 0; i < product.depth.size(); ++i) {
    const DepthChunk& part = product.depth[i];
    const auto tap =
        static_cast<std::int32_t>((part.weight.t * kernel[1] + part.weight.h) * kernel[2] + part.weight.w);
    chunks[i] = {part.channel * taps + tap, static_cast<std::int16_t>(part.begin - part.channel),
                 static_cast<std::int16_t>(part.end - part.channel)};
  }
  return chunks;
}

struct ProductShape {
  Divisor row_chunks;    ///< of a packed row
  std::int64_t row = 0;  ///< elements of a stored one
  int taps = 1;
};

/// weight: (O, I, taps); packed: (O, chunks of a row) of 16 bytes, `count` in all.
template <class Type>
__global__ void __launch_bounds__(256)
    pack_product(const float* weight, const PackedChunk* chunks, PackedElement<Type>* packed, ProductShape s,
                 std::uint32_t count) {
  constexpr int size = vector_size<PackedElement<Type>>;
  for_each_index(count, [&](std::uint32_t i) {
    const auto [output, chunk] = s.row_chunks.divide(i);
    const PackedChunk part = chunks[chunk];
    const float* from = weight + output * s.row + part.from;
    Vector<PackedElement<Type>, size> value;
#pragma unroll
    for (int e = 0; e < size; ++e) {
      value[e] = to_packed<Type>(e >= part.begin && e < part.end ? from[static_cast<std::int64_t>(e) * s.taps]
                                                                 : 0.0F);
    }
    store_vector(packed + static_cast<std::int64_t>(i) * size, value);
  });
}

class ProductPacking final : public Packing {
 public:
  ProductPacking(const ProductForm& product, const Signature& signature, const Shape& weight)
      : Packing(std::string("cuda product ") + name_of(product.form.type) + " shift " +
                    std::to_string(product.form.shift_fold),
                signature.inputs, {1},
                static_cast<std::size_t>(weight[0] * product.form.sizes.row_elements *
                                         element_bytes(product.form.type))),
        type_(product.form.type) {
    const ops::Extent3 kernel = ops::Conv3d::kernel(weight);
    const std::vector<PackedChunk> chunks = packed_chunks(product, kernel);
    const std::int64_t count = weight[0] * static_cast<std::int64_t>(chunks.size());
    if (count > std::numeric_limits<std::int32_t>::max()) {
      throw Error("A weight of " + to_string(weight) + " is larger than the device cuda counts.");
    }
    shape_ = {Divisor(static_cast<std::uint32_t>(chunks.size())), weight.count() / weight[0],
              static_cast<int>(kernel[0] * kernel[1] * kernel[2])};
    count_ = static_cast<std::uint32_t>(count);
    chunks_ = upload_constant(chunks.data(), chunks.size() * sizeof(PackedChunk));
  }

  void pack(std::span<const ConstTensorView> sources, std::byte* packed, Stream& stream) const override {
    with_packed_type(type_, [&]<class Type>(std::type_identity<Type>) {
      launch("pack_product", pack_product<Type>, one_thread_each(count_), stream_of(stream),
             elements<float>(sources[0]), reinterpret_cast<const PackedChunk*>(chunks_->data()),
             reinterpret_cast<PackedElement<Type>*>(packed), shape_, count_);
    });
  }

 private:
  ConvType type_;
  ProductShape shape_;
  std::uint32_t count_ = 0;
  std::shared_ptr<const Buffer> chunks_;
};

}  // namespace

std::shared_ptr<const Packing> product_packing(const ProductForm& product, const Signature& signature) {
  return std::make_shared<const ProductPacking>(product, signature, signature.inputs[1].shape);
}

}  // namespace tpn::cuda
