#include <algorithm>
#include <map>

#include <nlohmann/json.hpp>

#include "engine/model/mapped_file.h"
#include "engine/model/model_file.h"
#include "engine/model/text.h"
#include "weights_converter/architecture.h"
#include "weights_converter/inventory.h"
#include "weights_converter/report.h"

namespace tpn {
namespace {

struct TensorLine {
  std::string name;
  DType dtype;
  Shape shape;
};

std::string list_tensors(const std::vector<TensorLine>& tensors) {
  std::size_t width = 0;
  for (const TensorLine& tensor : tensors) width = std::max(width, in_quotes(tensor.name).size());
  std::string text = "tensors:\n";
  for (const TensorLine& tensor : tensors) {
    std::string name = in_quotes(tensor.name);
    name.resize(width, ' ');
    std::string dtype(name_of(tensor.dtype));
    dtype.resize(4, ' ');
    text.append("  ").append(name).append("  ").append(dtype).append("  ");
    text.append(to_string(tensor.shape)).append("\n");
  }
  return text;
}

std::string list_totals(const std::vector<TensorLine>& tensors) {
  struct Total {
    std::size_t tensors = 0;
    std::int64_t elements = 0;
  };
  std::map<DType, Total> totals;
  for (const TensorLine& tensor : tensors) {
    Total& total = totals[tensor.dtype];
    ++total.tensors;
    total.elements += tensor.shape.count();
  }
  std::string text = "totals:\n";
  for (const auto& [dtype, total] : totals) {
    text += "  " + std::string(name_of(dtype)) + ": " + std::to_string(total.elements) + " elements in " +
            std::to_string(total.tensors) + (total.tensors == 1 ? " tensor\n" : " tensors\n");
  }
  return text;
}

std::string list(const std::string& title, const std::vector<std::string>& entries) {
  if (entries.empty()) return title + ": none\n";
  std::string text = title + ":\n";
  for (const std::string& entry : entries) text += "  " + entry + '\n';
  return text;
}

std::string list_quoted(const std::string& title, const std::vector<std::string>& names) {
  std::vector<std::string> quoted;
  quoted.reserve(names.size());
  for (const std::string& name : names) quoted.push_back(in_quotes(name));
  return list(title, quoted);
}

std::vector<std::string> names_of(const std::vector<ParameterSpec>& specs) {
  std::vector<std::string> lines;
  lines.reserve(specs.size());
  for (const ParameterSpec& spec : specs) lines.push_back(in_quotes(spec.name) + " " + to_string(spec.shape));
  return lines;
}

std::string inspect_checkpoint(const Checkpoint& checkpoint) {
  const NamedTensors names(checkpoint);
  std::vector<TensorLine> tensors;
  for (const StoredTensor& tensor : checkpoint.tensors())
    tensors.push_back({tensor.name, tensor.dtype, tensor.shape});

  std::string text = "format: PyTorch checkpoint, names of " + std::string(name_of(names.scheme())) + '\n';
  if (!checkpoint.found_under().empty()) text += "found under: " + in_quotes(checkpoint.found_under()) + '\n';
  if (!checkpoint.also_under().empty()) text += list_quoted("other weights", checkpoint.also_under());
  if (!names.prefixes().empty()) text += list_quoted("prefixes", names.prefixes());
  if (names.collision()) text += "names: " + *names.collision() + '\n';
  if (checkpoint.bytes_behind() > 0) {
    text += "behind the checkpoint: " + std::to_string(checkpoint.bytes_behind()) + " bytes\n";
  }
  text += list_quoted("other entries", checkpoint.other_keys());
  text += list_totals(tensors);
  const MetadataConfig metadata = read_metadata_config(checkpoint);
  const auto detected = detect_architecture(names, metadata, is_backbone_alone(names.scheme()));
  if (!detected) {
    text += "configuration: not recognised. " + detected.failure().message + '\n';
  } else {
    text += "configuration: " + to_json(detected->config) + '\n';
    text += list("notes", detected->notes);
    const Inventory inventory = take_inventory(names, detected->config);
    text += list("missing", names_of(inventory.missing));
    std::vector<std::string> mismatched;
    mismatched.reserve(inventory.mismatched.size());
    for (const Mismatch& mismatch : inventory.mismatched) mismatched.push_back(mismatch.sentence);
    text += list("mismatched", mismatched);
    std::vector<std::string> unexpected = inventory.ignored;
    unexpected.insert(unexpected.end(), inventory.unexpected.begin(), inventory.unexpected.end());
    text += list_quoted("unexpected", unexpected);
  }
  return text + list_tensors(tensors);
}

/// What a model of the configuration lacks or has no place for.
std::string compare_with_config(const SafetensorsFile& file, const Config& config) {
  std::vector<ParameterSpec> missing;
  std::vector<std::string> mismatched;
  std::vector<std::string> expected_names;
  for (const ParameterSpec& spec : parameter_specs(config)) {
    expected_names.push_back(spec.name);
    const SafetensorsFile::Entry* entry = file.find(spec.name);
    if (entry == nullptr) {
      missing.push_back(spec);
    } else if (!(entry->shape == spec.shape)) {
      mismatched.push_back(in_quotes(spec.name) + " has shape " + to_string(entry->shape) +
                           "; the model needs " + to_string(spec.shape));
    }
  }
  std::sort(expected_names.begin(), expected_names.end());
  std::vector<std::string> unexpected;
  for (const auto& entry : file.entries()) {
    if (!std::binary_search(expected_names.begin(), expected_names.end(), entry.name))
      unexpected.push_back(entry.name);
  }
  return list("missing", names_of(missing)) + list("mismatched", mismatched) +
         list_quoted("unexpected", unexpected);
}

/// Hundreds of class names would hide the rest: how many there are, the first and the last.
std::string summary_of_labels(const std::string& json) {
  const auto labels = nlohmann::json::parse(json, nullptr, false);
  const auto is_text = [](const nlohmann::json& label) { return label.is_string(); };
  if (!labels.is_array() || labels.size() < 4 || !std::all_of(labels.begin(), labels.end(), is_text)) {
    return printable(json);
  }
  return std::to_string(labels.size()) + " class names, " + in_quotes(labels.front().get<std::string>()) +
         " to " + in_quotes(labels.back().get<std::string>());
}

std::string inspect_safetensors(const SafetensorsFile& file) {
  std::vector<TensorLine> tensors;
  for (const auto& entry : file.entries()) tensors.push_back({entry.name, entry.dtype, entry.shape});
  std::string text = "format: safetensors\n";
  for (const auto& [key, value] : file.metadata())
    text += "metadata " + in_quotes(key) + ": " +
            (key == "tpn.labels" ? summary_of_labels(value) : printable(value)) + '\n';
  text += list_totals(tensors);
  const auto config = file.metadata().find("tpn.config");
  if (config != file.metadata().end()) {
    try {
      text += compare_with_config(file, parse_config(config->second));
    } catch (const Error& error) {
      text += std::string("configuration: not usable. ") + error.what() + '\n';
    }
  }
  return text + list_tensors(tensors);
}

}  // namespace

CheckpointResult<std::string> inspect_file(const std::filesystem::path& path, const std::string& weights) {
  const auto file = MappedFile::open(path);
  if (!file) return CheckpointFailure(CheckpointError::not_a_checkpoint, file.failure().message);
  const std::string title = path.string() + ", " + std::to_string(file->bytes().size()) + " bytes\n";
  if (Checkpoint::has_signature(file->bytes())) {
    const auto checkpoint = Checkpoint::open(path, weights);
    if (!checkpoint) return checkpoint.failure();
    return title + inspect_checkpoint(*checkpoint);
  }
  const auto tensors = SafetensorsFile::open(path);
  if (!tensors) return CheckpointFailure(CheckpointError::not_a_checkpoint, tensors.failure().message);
  return title + inspect_safetensors(*tensors);
}

}  // namespace tpn
