#include "kernels/precision_info.h"

#include <array>

namespace tpn {
namespace {

struct Row {
  Precision precision;
  std::string_view name;
  DType storage;
};

constexpr std::array<Row, 4> precisions{{{Precision::f32, "f32", DType::f32},
                                         {Precision::bf16, "bf16", DType::bf16},
                                         {Precision::f16, "f16", DType::f16},
                                         {Precision::tf32, "tf32", DType::f32}}};

const Row& row_of(Precision precision) {
  for (const Row& row : precisions) {
    if (row.precision == precision) return row;
  }
  throw Error("There is no such precision.");
}

}  // namespace

std::string_view name_of(Precision precision) {
  return row_of(precision).name;
}

std::vector<std::string> precision_names() {
  std::vector<std::string> names;
  names.reserve(precisions.size());
  for (const Row& row : precisions) names.emplace_back(row.name);
  return names;
}

Precision precision_named(std::string_view name) {
  for (const Row& row : precisions) {
    if (row.name == name) return row.precision;
  }
  throw Error("There is no precision '" + std::string(name) + "'.");
}

DType storage_type(Precision precision) {
  return row_of(precision).storage;
}

bool supports(const Backend& backend, Precision precision) {
  return backend.supports(storage_type(precision)) &&
         (precision != Precision::tf32 || backend.supports_tf32());
}

}  // namespace tpn
