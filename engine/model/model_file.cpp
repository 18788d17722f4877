#include "engine/model/model_file.h"

#include <nlohmann/json.hpp>

#include "engine/model/json_reader.h"

namespace tpn {
namespace {

/// A metadata value, or an empty text.
std::string metadata_text(const SafetensorsFile& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  return found == file.metadata().end() ? std::string() : found->second;
}

std::vector<std::string> parse_labels(const std::string& text, int classes) {
  const nlohmann::json document = parse_json(text).value_or_throw();
  std::vector<std::string> labels;
  for (const JsonField& label : JsonField(document, "tpn.labels").elements()) labels.push_back(label.text());
  if (labels.size() != static_cast<std::size_t>(classes)) {
    throw Error("tpn.labels must have one name for each of the " + std::to_string(classes) +
                " classes, but has " + std::to_string(labels.size()) + ".");
  }
  return labels;
}

}  // namespace

ModelFile open_model_file(const std::filesystem::path& path) {
  SafetensorsFile tensors = SafetensorsFile::open(path).value_or_throw();
  const std::string config_text = metadata_text(tensors, "tpn.config");
  if (config_text.empty()) {
    throw Error(path.string() +
                " has no \"tpn.config\" in its metadata; convert the checkpoint with tpn_convert.");
  }
  try {
    Config config = parse_config(config_text);
    const std::string labels_text = metadata_text(tensors, "tpn.labels");
    std::vector<std::string> labels;
    if (!labels_text.empty()) labels = parse_labels(labels_text, config.head.num_classes);
    std::string source = metadata_text(tensors, "tpn.source");
    return {std::move(config), std::move(labels), std::move(source), std::move(tensors)};
  } catch (const Error& error) {
    throw Error(path.string() + " is not a usable model file: " + error.what());
  }
}

}  // namespace tpn
