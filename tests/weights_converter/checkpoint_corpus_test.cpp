// Every file of the checkpoint corpus has the outcome that its manifest.json names: tensors equal, or the kind of
// failure. Further corpora: folders with a manifest.json in the environment variable TPN_CHECKPOINT_DIRS, separated by
// colons.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "weights_converter/checkpoint.h"
#include "weights_converter/zip_archive.h"

namespace tpn {
namespace {

using nlohmann::json;

std::vector<std::filesystem::path> corpora() {
  std::vector<std::filesystem::path> folders{std::filesystem::path(TPN_TEST_DATA) / "checkpoints"};
  if (const char* const more = std::getenv("TPN_CHECKPOINT_DIRS")) {
    std::istringstream list(more);
    for (std::string folder; std::getline(list, folder, ':');) {
      if (!folder.empty()) folders.emplace_back(folder);
    }
  }
  return folders;
}

json read_manifest(const std::filesystem::path& folder) {
  std::ifstream file(folder / "manifest.json");
  return json::parse(file);
}

/// numpy's name.
std::string numpy_name(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return "float64";
    case DType::f32:
      return "float32";
    case DType::f16:
      return "float16";
    case DType::bf16:
      return "bfloat16";
    case DType::i64:
      return "int64";
    case DType::i32:
      return "int32";
    case DType::i16:
      return "int16";
    case DType::i8:
      return "int8";
    case DType::u8:
      return "uint8";
    case DType::boolean:
      return "bool";
  }
  return "?";
}

/// The tensors as a manifest lists them: [name, dtype, shape, CRC-32 of the dense elements].
json list_tensors(const Checkpoint& checkpoint) {
  json list = json::array();
  for (const StoredTensor& tensor : checkpoint.tensors()) {
    std::uint32_t crc = 0;
    std::size_t bytes = 0;
    checkpoint.read(tensor, [&](std::span<const std::byte> piece) {
      crc = crc32_of(piece, crc);
      bytes += piece.size();
    });
    EXPECT_EQ(bytes, tensor.bytes()) << tensor.name;
    list.push_back({tensor.name, numpy_name(tensor.dtype), tensor.shape.extents(), crc});
  }
  return list;
}

void check_file(const std::filesystem::path& folder, const json& entry) {
  const std::string file = entry.at("file");
  SCOPED_TRACE(file + ": " + entry.value("note", ""));
  // What is wrong with a file of level "model" shows only against the model's parameters.
  const bool judged_here = entry.at("level") == "reader";
  const std::string expected = judged_here ? entry.at("expect").get<std::string>() : "ok";
  const auto checkpoint = Checkpoint::open(folder / file);
  if (checkpoint) {
    EXPECT_NE(expected, "error") << "expected " << entry.value("kind", "");
    const json tensors = list_tensors(*checkpoint);
    if (entry.contains("tensors")) {
      EXPECT_EQ(tensors, entry.at("tensors"));
    }
    return;
  }
  const CheckpointFailure& failure = checkpoint.failure();
  EXPECT_NE(expected, "ok") << failure.message;
  EXPECT_NE(failure.message.find(file), std::string::npos) << failure.message;
  EXPECT_LT(failure.message.size(), 1000U);
  if (expected == "error") {
    EXPECT_EQ(name_of(failure.kind), entry.at("kind").get<std::string>()) << failure.message;
  }
}

TEST(CheckpointCorpus, EveryFileHasTheOutcomeOfItsManifest) {
  for (const auto& folder : corpora()) {
    SCOPED_TRACE(folder);
    const json manifest = read_manifest(folder);
    const std::filesystem::path marker = manifest.at("payload_marker").get<std::string>();
    ASSERT_FALSE(std::filesystem::exists(marker)) << "left by an earlier run of something else; remove it";
    for (const json& entry : manifest.at("files")) check_file(folder, entry);
    EXPECT_FALSE(std::filesystem::exists(marker)) << "code from a checkpoint was executed";
    EXPECT_GE(manifest.at("files").size(), 200U);
  }
}

}  // namespace
}  // namespace tpn
