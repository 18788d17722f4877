// Forms of parameters that are made on the device, bit for bit as they are defined.
#include <bit>
#include <cstring>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "kernels/batch_norm_folding.h"
#include "kernels/cuda/conv_weights.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/grouped_weights.h"
#include "kernels/cuda/libraries/library_weights.h"
#include "kernels/cuda/packing.h"
#include "kernels/cuda/stream.h"
#include "kernels/half.h"
#include "tests/kernels/conv_form_of.h"

namespace tpn::cuda {
namespace {

using Floats = std::vector<float>;
using Bytes = std::vector<std::byte>;

/// An operation's parameters: operand 1 is a weight, 2 to 5 are a batch norm of its outputs.
class Parameters {
 public:
  explicit Parameters(const Shape& weight, DType dtype = DType::f32)
      : outputs_{{.shape = {}, .dtype = dtype}} {
    inputs_.push_back({});
    std::normal_distribution<float> normal;
    add("weight", Kind::weight, weight, [&] { return normal(generator_); });
    std::uniform_real_distribution<float> positive(0.5F, 1.5F);
    for (const char* name : {"scale", "shift", "mean", "variance"}) {
      add(name, Kind::per_channel, {weight[0]}, [&] { return positive(generator_); });
    }
  }

  [[nodiscard]] Signature signature() const { return {inputs_, outputs_, false}; }
  [[nodiscard]] const Shape& shape() const { return inputs_[1].shape; }
  [[nodiscard]] Floats& values(std::size_t operand) { return values_[operand - 1]; }
  [[nodiscard]] std::vector<ConstTensorView> views(std::span<const std::size_t> operands) const {
    std::vector<ConstTensorView> views;
    for (const std::size_t i : operands) {
      views.push_back(
          {reinterpret_cast<const std::byte*>(values_[i - 1].data()), DType::f32, inputs_[i].shape});
    }
    return views;
  }
  /// Element (o, i, tap) of the weight.
  [[nodiscard]] float weight(std::int64_t o, std::int64_t i, std::int64_t tap) const {
    const std::int64_t in = shape()[1], taps = shape().count() / (shape()[0] * in);
    return values_[0][static_cast<std::size_t>((o * in + i) * taps + tap)];
  }
  [[nodiscard]] FoldedNorm folded(double eps) const {
    return fold_batch_norm(views(std::array<std::size_t, 4>{2, 3, 4, 5}), eps);
  }

 private:
  template <class Draw>
  void add(const char* name, Kind kind, const Shape& shape, const Draw& draw) {
    inputs_.push_back({.shape = shape, .kind = kind, .name = name});
    Floats& values = values_.emplace_back(static_cast<std::size_t>(shape.count()));
    for (float& value : values) value = draw();
  }

  std::mt19937 generator_{1};
  std::vector<Operand> inputs_, outputs_;
  std::vector<Floats> values_;
};

/// A packing with its sources and form in device memory.
class Packer {
 public:
  explicit Packer(std::shared_ptr<const Packing> packing)
      : packing_(std::move(packing)),
        stream_(backend_.make_stream()),
        form_(backend_.allocate(packing_->bytes())),
        staging_(backend_.allocate_staging(packing_->bytes())) {}

  /// Takes the values that the parameters now have.
  void upload(const Parameters& parameters) {
    const std::vector<ConstTensorView> host = parameters.views(packing_->sources());
    if (sources_.empty()) {
      for (const ConstTensorView& view : host) sources_.push_back(backend_.allocate(view.bytes()));
    }
    views_.clear();
    for (std::size_t i = 0; i < host.size(); ++i) {
      stream_->upload(sources_[i].data(), host[i].data, host[i].bytes());
      views_.push_back({sources_[i].data(), DType::f32, host[i].shape});
    }
    stream_->synchronize();
  }

  void pack() { packing_->pack(views_, form_.data(), *stream_); }
  Stream& stream() { return *stream_; }

  Bytes form() {
    stream_->download(staging_.data(), form_.data(), packing_->bytes());
    stream_->synchronize();
    return {staging_.data(), staging_.data() + packing_->bytes()};
  }

 private:
  CudaBackend backend_;
  std::shared_ptr<const Packing> packing_;
  std::unique_ptr<Stream> stream_;
  Buffer form_, staging_;
  std::vector<Buffer> sources_;
  std::vector<ConstTensorView> views_;
};

Bytes packed(const std::shared_ptr<const Packing>& packing, const Parameters& parameters) {
  Packer packer(packing);
  packer.upload(parameters);
  packer.pack();
  return packer.form();
}

template <class T>
void append(Bytes& bytes, T value) {
  const auto* const from = reinterpret_cast<const std::byte*>(&value);
  bytes.insert(bytes.end(), from, from + sizeof value);
}

/// Appends the element that a kernel of that type multiplies with.
void append(Bytes& bytes, ConvType type, float value) {
  switch (type) {
    case ConvType::f32:
      return append<float>(bytes, value);
    case ConvType::tf32:  // to nearest, ties away from zero
      return append(bytes, (std::bit_cast<std::uint32_t>(value) + 0x1000U) & 0xffffe000U);
    case ConvType::f16:
      return append(bytes, F16(value));
    case ConvType::bf16:
      return append(bytes, Bf16(value));
  }
}

DType dtype_of(ConvType type) {
  return type == ConvType::f16 ? DType::f16 : type == ConvType::bf16 ? DType::bf16 : DType::f32;
}

class CudaPacking : public ::testing::TestWithParam<ConvType> {
 protected:
  [[nodiscard]] Bytes product(const ProductForm& form, const Parameters& p) const {
    Bytes bytes;
    const auto [kt, kh, kw] = ops::Conv3d::kernel(p.shape());
    const auto chunk = static_cast<int>(16 / element_bytes(GetParam()));
    for (std::int64_t o = 0; o < p.shape()[0]; ++o) {
      int written = 0;
      for (const DepthChunk& part : form.depth) {
        const std::int64_t tap = (part.weight.t * kh + part.weight.h) * kw + part.weight.w;
        for (int c = part.channel; c < part.channel + chunk; ++c, ++written) {
          append(bytes, GetParam(), c >= part.begin && c < part.end ? p.weight(o, c, tap) : 0);
        }
      }
      for (; written < form.form.sizes.row_elements; ++written) append(bytes, GetParam(), 0);
    }
    return bytes;
  }
};

TEST_P(CudaPacking, ProductsHaveTheirDepthInOrder) {
  struct Case {
    ops::FusedConv3d op;
    Shape x, weight;
  };
  for (const Case& c :
       {Case{{.conv = {.padding = {0, 1, 1}}}, {1, 2, 5, 6, 40}, {24, 40, 1, 3, 3}},
        Case{{.conv = {.padding = {1, 0, 0}}}, {1, 3, 3, 3, 264}, {8, 264, 3, 1, 1}},
        Case{{.conv = {}}, {1, 1, 2, 3, 13}, {21, 13, 1, 1, 1}},
        Case{{.conv = {.padding = {0, 3, 3}}}, {1, 1, 9, 9, 3}, {16, 3, 1, 7, 7}},
        Case{{.conv = {.groups = 4}}, {1, 2, 5, 5, 64}, {32, 16, 1, 1, 1}},
        Case{{.conv = {}, .shift_fold = 1}, {1, 4, 4, 4, 11}, {24, 11, 1, 1, 1}},
        Case{{.conv = {.padding = {0, 1, 1}}, .shift_fold = 20}, {1, 3, 5, 4, 80}, {8, 80, 1, 3, 3}}}) {
    SCOPED_TRACE(to_string(c.weight));
    ConvForm form = test::form_of(c.op, c.x, c.weight, dtype_of(GetParam()));
    form.type = GetParam();
    ASSERT_TRUE(is_product(form));
    const Parameters parameters(c.weight);
    const ProductForm cut = product_form(form);
    EXPECT_EQ(packed(product_packing(cut, parameters.signature()), parameters), product(cut, parameters));
  }
}

TEST_P(CudaPacking, ChannelsLastIsATransposition) {
  for (const Shape& shape : {Shape{7, 5, 3, 2, 2}, Shape{40, 1, 1, 1, 1}, Shape{3, 300, 1, 1, 1}}) {
    const Parameters parameters(shape);
    Bytes expected;
    for (std::int64_t o = 0; o < shape[0]; ++o)
      for (std::int64_t tap = 0; tap < shape[2] * shape[3] * shape[4]; ++tap)
        for (std::int64_t i = 0; i < shape[1]; ++i)
          append(expected, GetParam(), parameters.weight(o, i, tap));
    EXPECT_EQ(packed(channels_last_packing(parameters.signature(), 1, GetParam()), parameters), expected);
  }
}

TEST_P(CudaPacking, OutputsLastArePaddedTo32) {
  if (GetParam() == ConvType::tf32) return;  // no kernel reads it
  const Parameters parameters(Shape{40, 3, 3, 1, 1});
  const GroupedSizes sizes{.in_per_group = 3, .out_per_group = 20, .outputs = 40, .taps = 3};
  Bytes expected;
  for (std::int64_t i = 0; i < 3; ++i)
    for (std::int64_t tap = 0; tap < 3; ++tap)
      for (std::int64_t o = 0; o < 64; ++o) {
        append(expected, GetParam(), o < 40 ? parameters.weight(o, i, tap) : 0);
      }
  const auto packing = [&] {
    const auto order = WeightOrder::by_channel;
    if (GetParam() == ConvType::f16) return grouped_packing<F16>(parameters.signature(), sizes, order);
    if (GetParam() == ConvType::bf16) return grouped_packing<Bf16>(parameters.signature(), sizes, order);
    return grouped_packing<float>(parameters.signature(), sizes, order);
  }();
  EXPECT_EQ(packed(packing, parameters), expected);
}

TEST_P(CudaPacking, LibrariesGetTheScaleMultipliedInAndABias) {
  if (GetParam() == ConvType::tf32) return;  // they round themselves
  for (const bool norm : {true, false}) {
    for (const std::int64_t groups : {1, 2}) {
      const Parameters parameters(groups == 1 ? Shape{13, 5, 1, 3, 2} : Shape{16, 12, 3, 1, 1},
                                  dtype_of(GetParam()));
      const ops::FusedConv3d op{.conv = {.groups = groups}, .norm = norm, .eps = 1e-3};
      const std::int64_t inputs = groups == 1 ? 8 : 12, taps = groups == 1 ? 6 : 3;
      const FoldedNorm folded = parameters.folded(op.eps);
      Bytes weights, bias;
      for (std::int64_t o = 0; o < 16; ++o) {
        const bool there = o < parameters.shape()[0];
        const auto at = static_cast<std::size_t>(o);
        append(bias, GetParam(), norm && there ? folded.shift[at] : 0);
        for (std::int64_t tap = 0; tap < taps; ++tap) {
          for (std::int64_t i = 0; i < inputs; ++i) {
            const bool inside = there && i < parameters.shape()[1];
            const float weight = inside ? parameters.weight(o, i, tap) : 0;
            append(weights, GetParam(), norm && there ? weight * folded.scale[at] : weight);
          }
        }
      }
      const auto packing = std::make_shared<const LibraryPacking>(op, parameters.signature());
      const Bytes found = packed(packing, parameters);
      EXPECT_TRUE(std::equal(weights.begin(), weights.end(), found.begin()));
      ASSERT_GE(packing->bias_offset(), weights.size());
      ASSERT_GE(found.size(), packing->bias_offset() + bias.size());
      EXPECT_EQ(packing->bias_offset() % 256, 0U);
      EXPECT_TRUE(std::equal(bias.begin(), bias.end(),
                             found.begin() + static_cast<std::ptrdiff_t>(packing->bias_offset())));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, CudaPacking,
                         ::testing::Values(ConvType::f32, ConvType::tf32, ConvType::f16, ConvType::bf16),
                         [](const auto& param) { return std::string(name_of(param.param)); });

TEST(CudaPackings, FoldABatchNormAsTheHostDoes) {
  const Parameters parameters(Shape{301, 1, 1, 1, 1});
  const FoldedNorm folded = parameters.folded(1e-5);
  Bytes expected;
  for (const Floats& half : {folded.scale, folded.shift}) {
    for (const float value : half) append(expected, value);
    for (int i = 301; i < 304; ++i) append(expected, 0.0F);
  }
  EXPECT_EQ(packed(norm_packing(parameters.signature(), 2, 1e-5), parameters), expected);
}

TEST(CudaPackings, AreRecordedOnceForParametersThatChange) {
  Parameters parameters(Shape{8, 4, 1, 3, 3});
  const auto packing = channels_last_packing(parameters.signature(), 1, ConvType::bf16);
  Packer packer(packing);
  packer.upload(parameters);
  const auto recorded = packer.stream().record([&] { packer.pack(); });
  for (int step = 0; step < 2; ++step) {
    for (float& value : parameters.values(1)) value += 1;
    packer.upload(parameters);
    recorded->replay(packer.stream());
    EXPECT_EQ(packer.form(), packed(packing, parameters));
  }
}

TEST(CudaPackings, RefuseAVarianceWithoutAResult) {
  Parameters parameters(Shape{4, 2, 1, 1, 1});
  parameters.values(5)[2] = -1;
  const LibraryPacking library({.conv = {}, .norm = true}, parameters.signature());
  const auto norm = norm_packing(parameters.signature(), 2, 1e-5);
  for (const Packing* packing : {norm.get(), static_cast<const Packing*>(&library)}) {
    try {
      packing->check(parameters.views(packing->sources()));
      ADD_FAILURE() << "A negative variance was accepted by " << packing->key();
    } catch (const Error& e) {
      EXPECT_TRUE(std::string(e.what()).starts_with("The parameter 'variance' is -1.000000 for channel 2: "))
          << e.what();
    }
  }
}

/// Kernels share what has one key: what differs in any way must not.
TEST(CudaPackings, AreToldApartByTheirKeys) {
  const Parameters parameters(Shape{16, 64, 1, 1, 1});
  const Signature signature = parameters.signature();
  std::vector<std::string> keys;
  const auto add = [&](const Packing& packing) { keys.push_back(packing.key()); };
  for (const ConvType type : {ConvType::f32, ConvType::tf32, ConvType::f16, ConvType::bf16}) {
    add(*channels_last_packing(signature, 1, type));
    for (const int fold : {0, 8}) {
      ConvForm form = test::form_of({.conv = {}, .shift_fold = fold}, {1, 2, 3, 3, 64}, parameters.shape());
      form.type = type;
      add(*product_packing(product_form(form), signature));
    }
  }
  const GroupedSizes sizes{.in_per_group = 64, .out_per_group = 16, .outputs = 16, .taps = 1};
  add(*grouped_packing<F16>(signature, sizes, WeightOrder::by_channel));
  add(*grouped_packing<Bf16>(signature, sizes, WeightOrder::by_channel));
  add(*norm_packing(signature, 2, 1e-5));
  add(*norm_packing(signature, 2, 1e-7));
  add(*norm_packing(signature, 2, 1e-8));
  add(LibraryPacking({.conv = {}}, signature));
  add(LibraryPacking({.conv = {}, .norm = true}, signature));
  add(LibraryPacking({.conv = {}, .norm = true, .eps = 1e-7}, signature));
  const std::vector<Operand> halves{{.shape = {}, .dtype = DType::bf16}};
  add(LibraryPacking({.conv = {}}, {signature.inputs, halves, false}));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(keys[i], keys[j]);
  }
}

/// A gradient that a library has made: (outputs, taps, inputs), with channels of padding that are NaN here.
TEST(InversePermutation, PutsEveryElementWhereItIsStored) {
  const CudaBackend backend;
  const std::unique_ptr<Stream> stream = backend.make_stream();
  for (const auto& [shape, groups] : {std::pair(Shape{13, 7, 1, 3, 2}, std::int64_t{1}),
                                      std::pair(Shape{16, 8, 3, 1, 1}, std::int64_t{2})}) {
    const Permutation order = library_order(shape, groups);
    Floats packed(static_cast<std::size_t>(order.count()), std::numeric_limits<float>::quiet_NaN());
    Floats expected(static_cast<std::size_t>(shape.count())), found(expected.size(), -1);
    const std::int64_t taps = order.extents[1], channels = order.extents[2];
    for (std::int64_t o = 0; o < shape[0]; ++o)
      for (std::int64_t i = 0; i < shape[1]; ++i)
        for (std::int64_t tap = 0; tap < taps; ++tap) {
          const auto value = static_cast<float>((o * 100 + i) * 10 + tap);
          packed[static_cast<std::size_t>((o * taps + tap) * channels + i)] = value;
          expected[static_cast<std::size_t>((o * shape[1] + i) * taps + tap)] = value;
        }
    const std::size_t bytes = found.size() * sizeof(float);
    const Buffer from = backend.allocate(packed.size() * sizeof(float)), to = backend.allocate(bytes);
    stream->upload(from.data(), reinterpret_cast<const std::byte*>(packed.data()),
                   packed.size() * sizeof(float));
    enqueue_inverse_permutation(order, reinterpret_cast<const float*>(from.data()),
                                reinterpret_cast<float*>(to.data()), stream_of(*stream));
    stream->download(reinterpret_cast<std::byte*>(found.data()), to.data(), bytes);
    stream->synchronize();
    EXPECT_EQ(found, expected);
  }
}

}  // namespace
}  // namespace tpn::cuda
