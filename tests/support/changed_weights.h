// A model file of which one value is changed.
#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "engine/model/weights.h"

namespace tpn::test {

/// Writes the value into an f32 tensor of the file, and loads the file anew.
inline std::shared_ptr<const Weights> change_weight(const std::filesystem::path& path,
                                                    const std::string& name, std::size_t element,
                                                    float value) {
  const auto weights = Weights::load(path);
  const SafetensorsFile::Entry* entry = weights->tensors().find(name);
  if (entry == nullptr || entry->dtype != DType::f32) throw Error("There is no f32 tensor '" + name + "'.");
  {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(entry->offset + element * sizeof value));
    file.write(reinterpret_cast<const char*>(&value), sizeof value);
    if (!file.good()) throw Error("'" + path.string() + "' cannot be changed.");
  }
  return Weights::load(path);
}

/// Calls make(), which must throw an Error about the variance of that name, -2 for channel 3.
template <class Make>
void expect_variance_refused(const std::string& name, const Make& make) {
  try {
    make();
    ADD_FAILURE() << "A negative variance was accepted.";
  } catch (const Error& e) {
    EXPECT_EQ(std::string(e.what()), "The parameter '" + name +
                                         "' is -2.000000 for channel 3: with such a variance, batch norm "
                                         "has no finite result.");
  }
}

}  // namespace tpn::test
