// The names that the safetensors format gives to element types. Internal to its reader and writer.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "kernels/tensor.h"

namespace tpn {

inline constexpr std::array<std::pair<DType, std::string_view>, 10> safetensors_dtypes{{
    {DType::f64, "F64"},
    {DType::f32, "F32"},
    {DType::f16, "F16"},
    {DType::bf16, "BF16"},
    {DType::i64, "I64"},
    {DType::i32, "I32"},
    {DType::i16, "I16"},
    {DType::i8, "I8"},
    {DType::u8, "U8"},
    {DType::boolean, "BOOL"},
}};

inline std::optional<DType> parse_safetensors_dtype(std::string_view name) {
  for (const auto& [dtype, known] : safetensors_dtypes) {
    if (known == name) return dtype;
  }
  return std::nullopt;
}

inline std::string_view safetensors_name(DType dtype) {
  for (const auto& [known, name] : safetensors_dtypes) {
    if (known == dtype) return name;
  }
  return {};
}

}  // namespace tpn
