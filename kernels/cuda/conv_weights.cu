// The order of a matrix product's weights: rows of columns, each with its depth contiguous, in the chunks of
// 16 bytes that a ProductForm names. One thread a chunk: it reads a few channels under one tap and writes 16
// bytes. The taps of a block of 128 bytes of channels follow each other in a row, so that threads side by
// side read, between them, the same lines of the stored weight. Of a transposed product it is the input
// channels that lie side by side there, which are its rows: threads side by side take those.
#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "kernels/cuda/conv_weights.h"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/launch_kernel.h"
#include "kernels/cuda/memory.h"
#include "kernels/cuda/packed_type.cuh"

namespace tpn::cuda {
namespace {

/// Where 16 bytes of a row come from: elements [begin, end) from the stored weight, the first of all at
/// `from` behind the row's origin there, one every `step`; the others are zero.
struct PackedChunk {
  std::int32_t from = 0;
  std::int16_t begin = 0, end = 0;
};

/// Elements of the stored weight (O, I / groups, taps) from one to the next...
struct StoredSteps {
  StoredSteps(const ProductForm& product, const Shape& weight) {
    const ConvSizes& s = product.form.sizes;
    const std::int64_t taps = weight.count() / (weight[0] * weight[1]);
    const std::int64_t output = weight[1] * taps;
    group = output * (weight[0] / s.groups);
    row = product.transposed ? taps : output;
    channel = product.transposed ? output : taps;
  }

  std::int64_t group = 0;
  std::int64_t row = 0;      ///< ... within a group ...
  std::int64_t channel = 0;  ///< ... and within the depth, under one tap
};

/// As many chunks as a row has, with those of its padding.
std::vector<PackedChunk> packed_chunks(const ProductForm& product, const ops::Extent3& kernel,
                                       const StoredSteps& steps) {
  const std::int64_t elements = 16 / element_bytes(product.form.type);
  std::vector<PackedChunk> chunks(static_cast<std::size_t>(product.form.sizes.row_elements / elements));
  for (std::size_t i = 0; i < product.depth.size(); ++i) {
    const DepthChunk& part = product.depth[i];
    const std::int64_t tap = (part.weight.t * kernel[1] + part.weight.h) * kernel[2] + part.weight.w;
    chunks[i] = {static_cast<std::int32_t>(part.channel * steps.channel + tap),
                 static_cast<std::int16_t>(part.begin - part.channel),
                 static_cast<std::int16_t>(part.end - part.channel)};
  }
  return chunks;
}

std::int64_t row_count(const ProductForm& product) {
  return std::int64_t{product.form.sizes.groups} * product.form.sizes.columns;
}

struct ProductShape {
  ProductShape(const ProductForm& product, const Shape& weight)
      : rows(static_cast<std::uint32_t>(row_count(product))),
        columns(static_cast<std::uint32_t>(product.form.sizes.columns)),
        row_chunks(static_cast<std::uint32_t>(product.form.sizes.row_elements *
                                              element_bytes(product.form.type) / 16)),
        steps(product, weight),
        transposed(product.transposed) {}

  Divisor rows;     ///< of all groups
  Divisor columns;  ///< of a group: its rows
  Divisor row_chunks;
  StoredSteps steps;
  bool transposed;
};

/// weight: (O, I / groups, taps); packed: rows of chunks of 16 bytes, `count` in all.
template <class Type>
__global__ void __launch_bounds__(256)
    pack_product(const float* weight, const PackedChunk* chunks, PackedElement<Type>* packed, ProductShape s,
                 std::uint32_t count) {
  constexpr int size = vector_size<PackedElement<Type>>;
  for_each_index(count, [&](std::uint32_t i) {
    const auto [outer, inner] = (s.transposed ? s.rows : s.row_chunks).divide(i);
    const std::uint32_t row = s.transposed ? inner : outer;
    const std::uint32_t chunk = s.transposed ? outer : inner;
    const PackedChunk part = chunks[chunk];
    const auto [group, column] = s.columns.divide(row);
    const float* from = weight + group * s.steps.group + column * s.steps.row + part.from;
    Vector<PackedElement<Type>, size> value;
#pragma unroll
    for (int e = 0; e < size; ++e) {
      value[e] = to_packed<Type>(e >= part.begin && e < part.end ? from[e * s.steps.channel] : 0.0F);
    }
    store_vector(packed + (static_cast<std::int64_t>(row) * s.row_chunks.value() + chunk) * size, value);
  });
}

std::string text(const Extent& e) {
  return std::to_string(e.t) + "," + std::to_string(e.h) + "," + std::to_string(e.w);
}

/// What the bytes depend on.
std::string form_name(const ProductForm& product) {
  const ConvForm& form = product.form;
  const std::string name = std::string("cuda product ") + name_of(form.type);
  if (!product.transposed) return name + " shift " + std::to_string(form.shift_fold);
  return name + " transposed, taps " + text(product.depth.front().weight) + " and every " +
         text(form.sizes.scatter.step) + " before";
}

class ProductPacking final : public Packing {
 public:
  ProductPacking(const ProductForm& product, const Signature& signature, const Shape& weight)
      : Packing(form_name(product), signature.inputs, {1},
                static_cast<std::size_t>(row_count(product) * product.form.sizes.row_elements *
                                         element_bytes(product.form.type))),
        type_(product.form.type),
        shape_(product, weight) {
    const std::int64_t count = row_count(product) * shape_.row_chunks.value();
    if (std::max(count, weight.count()) > std::numeric_limits<std::int32_t>::max()) {
      throw Error("A weight of " + to_string(weight) + " is larger than the device cuda counts.");
    }
    const std::vector<PackedChunk> chunks = packed_chunks(product, ops::Conv3d::kernel(weight), shape_.steps);
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
