// Goldens with their checkpoints converted, for tests that have the converter.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "tests/support/golden_network.h"
#include "tests/support/temporary_directory.h"
#include "weights_converter/convert.h"

namespace tpn::test {

/// The goldens of that kind in tests/data/goldens, in the folders of TPN_GOLDEN_DIRS and, in a checkout that
/// has one beside it, in the reference's own folders.
inline std::vector<GoldenName> all_goldens_of(std::string_view kind) {
  std::vector<std::filesystem::path> directories =
      golden_directories(TPN_TEST_DATA "/goldens", "TPN_GOLDEN_DIRS");
  for (const char* folder : {"/reference/goldens", "/reference/goldens_base16"}) {
    if (std::filesystem::exists(TPN_SHARED_DATA + std::string(folder)))
      directories.emplace_back(TPN_SHARED_DATA + std::string(folder));
  }
  return goldens_of(kind, directories);
}

/// A model file in that folder, by the converter, as a user's file would come.
inline std::filesystem::path convert_golden(const GoldenName& which, const TemporaryDirectory& directory) {
  std::filesystem::path model = directory / "model.safetensors";
  const auto converted = convert_checkpoint(which.directory / (which.name + ".pth"), model, {});
  if (!converted) throw Error(converted.failure().message);
  return model;
}

inline std::shared_ptr<const Weights> converted_golden(const GoldenName& which) {
  const TemporaryDirectory directory;
  return Weights::load(convert_golden(which, directory));  // stays mapped when the folder goes
}

}  // namespace tpn::test
