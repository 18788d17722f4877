#include "kernels/cuda/conv_weights.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/convert.h"
#include "kernels/cuda/memory.h"
#include "kernels/half.h"

namespace tpn::cuda {
namespace {

/// To 10 bits of mantissa, to nearest, ties away from zero: as tensor cores are given activations.
float rounded_to_tf32(float value) {
  if (!std::isfinite(value)) return value;
  return std::bit_cast<float>((std::bit_cast<std::uint32_t>(value) + 0x1000U) & 0xffffe000U);
}

/// Calls with(convert), where convert makes an element of memory of a float.
template <class With>
auto with_conversion(ConvType type, const With& with) {
  switch (type) {
    case ConvType::tf32:
      return with(rounded_to_tf32);
    case ConvType::f16:
      return with([](float value) { return F16(value); });
    case ConvType::bf16:
      return with([](float value) { return Bf16(value); });
    case ConvType::f32:
      break;
  }
  return with([](float value) { return value; });
}

/// The stored weight (O,I,kt,kh,kw) as floats.
struct StoredWeight {
  explicit StoredWeight(const Operand& operand)
      : values(to_floats(operand.constant->view)),
        in(operand.shape[1]),
        kernel(ops::Conv3d::kernel(operand.shape)) {}

  /// Where channel 0 of output channel o at a tap lies; the next is taps() further.
  [[nodiscard]] const float* at(std::int64_t o, std::int64_t tap) const {
    return values.data() + o * in * taps() + tap;
  }
  [[nodiscard]] std::int64_t tap(const Extent& e) const { return (e.t * kernel[1] + e.h) * kernel[2] + e.w; }
  [[nodiscard]] std::int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }

  std::vector<float> values;
  std::int64_t in;
  ops::Extent3 kernel;
};

template <class Element>
std::shared_ptr<const Buffer> upload(const std::vector<Element>& elements) {
  return upload_constant(elements.data(), elements.size() * sizeof(Element));
}

template <class Convert>
std::shared_ptr<const Buffer> pack_product(const ProductForm& product, const StoredWeight& weight,
                                           const Convert& convert) {
  using Element = decltype(convert(0.0F));
  const ConvSizes& s = product.form.sizes;
  const std::int64_t rows = std::int64_t{s.groups} * s.columns, taps = weight.taps();
  constexpr std::int64_t chunk = 16 / sizeof(Element);
  std::vector<Element> packed(static_cast<std::size_t>(rows * s.row_elements), convert(0.0F));
  for (std::int64_t o = 0; o < rows; ++o) {
    Element* to = packed.data() + o * s.row_elements;
    for (const DepthChunk& part : product.depth) {
      const float* from = weight.at(o, weight.tap(part.weight));
      for (int c = part.begin; c < part.end; ++c) to[c - part.channel] = convert(from[c * taps]);
      to += chunk;
    }
  }
  return upload(packed);
}

template <class Convert>
std::shared_ptr<const Buffer> pack_plain(const ConvForm& form, const StoredWeight& weight,
                                         const Convert& convert) {
  using Element = decltype(convert(0.0F));
  std::vector<Element> packed;
  packed.reserve(weight.values.size());
  const std::int64_t rows = std::int64_t{form.sizes.groups} * form.sizes.columns;
  for (std::int64_t o = 0; o < rows; ++o) {
    for (std::int64_t tap = 0; tap < weight.taps(); ++tap) {
      for (std::int64_t c = 0; c < weight.in; ++c)
        packed.push_back(convert(weight.at(o, tap)[c * weight.taps()]));
    }
  }
  return upload(packed);
}

}  // namespace

std::shared_ptr<const Buffer> product_weights(const ProductForm& product, const Signature& signature) {
  const ConvForm& form = product.form;
  const Constant& constant = *signature.inputs[1].constant;
  const std::string key =
      "cuda matrix|" + constant.name + "|" + name_of(form.type) + "|shift " + std::to_string(form.shift_fold);
  return signature.prepared.get<Buffer>(key, [&] {
    const StoredWeight weight(signature.inputs[1]);
    auto packed = with_conversion(
        form.type, [&](const auto& convert) { return pack_product(product, weight, convert); });
    if (constant.release) constant.release();
    return packed;
  });
}

std::shared_ptr<const Buffer> plain_weights(const ConvForm& form, const Signature& signature) {
  const Constant& constant = *signature.inputs[1].constant;
  const auto make = [&] {
    const StoredWeight weight(signature.inputs[1]);
    auto packed =
        with_conversion(form.type, [&](const auto& convert) { return pack_plain(form, weight, convert); });
    if (constant.release) constant.release();
    return packed;
  };
  if (is_product(form)) return make();
  return signature.prepared.get<Buffer>("cuda plain|" + constant.name + "|" + name_of(form.type), make);
}

}  // namespace tpn::cuda
