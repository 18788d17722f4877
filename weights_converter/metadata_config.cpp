#include "weights_converter/metadata_config.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/model/text.h"
#include "kernels/error.h"
#include "weights_converter/python_config.h"

namespace tpn {
namespace {

using nlohmann::json;

constexpr int max_depth = 12;            // of a configuration
constexpr std::size_t max_nodes = 4096;  // in one
constexpr std::size_t max_labels = 100'000;

/// A pickled configuration as JSON; nothing when it holds what a configuration cannot, or too much.
class JsonFromPickle {
 public:
  std::optional<json> convert(const PickleValue& value, int depth = 0) {
    if (depth > max_depth || ++nodes_ > max_nodes) return std::nullopt;
    switch (value.kind()) {
      case PickleKind::none:
        return json();
      case PickleKind::boolean:
        return json(*value.boolean());
      case PickleKind::integer:
        return json(*value.integer());
      case PickleKind::real:
        return json(*value.real());
      case PickleKind::text:
        if (!is_utf8(*value.text())) return std::nullopt;
        return json(*value.text());
      case PickleKind::list:
      case PickleKind::tuple:
        return convert_sequence(value, depth);
      default:
        return value.is_dictionary() ? convert_dictionary(value, depth) : std::nullopt;
    }
  }

 private:
  std::optional<json> convert_sequence(const PickleValue& value, int depth) {
    json list = json::array();
    if (value.size() > max_nodes) return std::nullopt;
    for (std::size_t i = 0; i < value.size(); ++i) {
      std::optional<json> element = convert(value[i], depth + 1);
      if (!element) return std::nullopt;
      list.push_back(*std::move(element));
    }
    return list;
  }

  std::optional<json> convert_dictionary(const PickleValue& value, int depth) {
    json object = json::object();
    for (const auto& [key, member] : value.entries()) {
      const auto name = key.text();
      if (!name || !is_utf8(*name)) return std::nullopt;
      std::optional<json> converted = convert(member, depth + 1);
      if (!converted) return std::nullopt;
      object[std::string(*name)] = *std::move(converted);
    }
    return object;
  }

  std::size_t nodes_ = 0;
};

std::optional<std::string> text_member(const PickleValue& dictionary, std::string_view key) {
  const auto member = dictionary.find(key);
  const auto text = member ? member->text() : std::nullopt;
  return text ? std::optional<std::string>(*text) : std::nullopt;
}

/// Calls `parse` and keeps the reason when it fails.
template <class Parse>
void try_complete(MetadataConfig& result, const std::string& what, const Parse& parse) {
  try {
    result.complete = parse();
  } catch (const Error& error) {
    result.notes.push_back("The checkpoint's " + what + " was not used: " + error.what());
  }
}

std::vector<std::string> read_class_names(const PickleValue& meta) {
  std::optional<PickleValue> names = meta.find("CLASSES");
  if (const auto dataset = meta.find("dataset_meta")) names = dataset->find("classes");
  std::vector<std::string> labels;
  const bool is_list = names && (names->kind() == PickleKind::list || names->kind() == PickleKind::tuple);
  if (!is_list || names->size() > max_labels) return labels;
  for (std::size_t i = 0; i < names->size(); ++i) {
    const auto text = (*names)[i].text();
    if (!text || !is_utf8(*text)) return {};
    labels.emplace_back(*text);
  }
  return labels;
}

// Reading the assignments: whatever is absent or of another form changes nothing.

const json* member(const json* object, const char* key) {
  if (object == nullptr || !object->is_object()) return nullptr;
  const auto found = object->find(key);
  return found == object->end() ? nullptr : &*found;
}

std::optional<int> integer(const json* value) {
  if (value == nullptr || !value->is_number()) return std::nullopt;
  const auto number = value->get<double>();
  const bool fits = number == std::floor(number) && std::abs(number) <= std::numeric_limits<int>::max();
  return fits ? std::optional<int>(static_cast<int>(number)) : std::nullopt;
}

std::optional<std::vector<int>> integers(const json* value) {
  if (value == nullptr || !value->is_array()) return std::nullopt;
  std::vector<int> numbers;
  for (const json& element : *value) {
    const auto number = integer(&element);
    if (!number) return std::nullopt;
    numbers.push_back(*number);
  }
  return numbers;
}

std::optional<ops::Extent3> extents(const json* value) {
  const auto numbers = integers(value);
  if (!numbers || numbers->size() != 3) return std::nullopt;
  return ops::Extent3{(*numbers)[0], (*numbers)[1], (*numbers)[2]};
}

std::string text(const json* value) {
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

void set(int& target, const json* value) {
  target = integer(value).value_or(target);
}
void set(bool& target, const json* value) {
  if (value != nullptr && value->is_boolean()) target = value->get<bool>();
}
void set(double& target, const json* value) {
  if (value != nullptr && value->is_number()) target = value->get<double>();
}
void set(std::array<double, 3>& target, const json* value) {
  const bool three_numbers =
      value != nullptr && value->is_array() && value->size() == 3 &&
      std::all_of(value->begin(), value->end(), [](const json& n) { return n.is_number(); });
  if (three_numbers) target = value->get<std::array<double, 3>>();
}

bool apply_neck(const json* neck, NeckConfig& config) {
  const auto scales = integers(member(member(neck, "temporal_modulation_cfg"), "downsample_scales"));
  if (scales) config.temporal_downsample_scales = *scales;
  if (const auto scale = extents(member(member(neck, "upsample_cfg"), "scale_factor")))
    config.upsample_scale = scale;
  const json* down = member(neck, "downsample_cfg");
  if (const auto scale = extents(member(down, "downsample_scale"))) config.downsample_scale = scale;
  if (text(member(down, "downsample_position")) == "before") config.downsample_before = true;
  const json* fusion_scales = member(member(neck, "level_fusion_cfg"), "downsample_scales");
  if (fusion_scales != nullptr && fusion_scales->is_array()) {
    std::vector<ops::Extent3> found;
    for (const json& element : *fusion_scales) {
      if (const auto scale = extents(&element)) found.push_back(*scale);
    }
    if (found.size() == config.level_fusion.downsample_scales.size()) {
      config.level_fusion.downsample_scales = found;
    }
  }
  if (config.aux_head) set(config.aux_head->loss_weight, member(member(neck, "aux_head_cfg"), "loss_weight"));
  const std::string flow = text(member(neck, "flow_type"));
  if (flow == "parallel" || flow == "cascade") {
    config.flow_type = flow == "parallel" ? FlowType::parallel : FlowType::cascade;
  }
  return scales.has_value();
}

void apply_pipeline(const json* pipeline, SamplingConfig& sampling) {
  if (pipeline == nullptr || !pipeline->is_array()) return;
  for (const json& step : *pipeline) {
    const std::string type = text(member(&step, "type"));
    if (type == "SampleFrames") {
      set(sampling.clip_len, member(&step, "clip_len"));
      set(sampling.frame_interval, member(&step, "frame_interval"));
      set(sampling.num_clips, member(&step, "num_clips"));
      set(sampling.twice_sample, member(&step, "twice_sample"));
    } else if (type == "Resize") {
      const auto scale = integers(member(&step, "scale"));
      if (scale && scale->size() == 2 && (*scale)[0] == -1) sampling.short_side = (*scale)[1];
    } else if (type == "ThreeCrop" || type == "CenterCrop") {
      sampling.crops = type == "ThreeCrop" ? 3 : 1;
      set(sampling.crop_size, member(&step, "crop_size"));
    }
  }
}

}  // namespace

MetadataConfig read_metadata_config(const Checkpoint& checkpoint) {
  MetadataConfig result;
  const auto meta = checkpoint.meta();
  if (!meta || !meta->is_dictionary()) return result;
  result.labels = read_class_names(*meta);
  if (const auto own = text_member(*meta, "tpn_config")) {
    try_complete(result, "meta entry tpn_config", [&] { return parse_config(*own); });
  }
  const auto config = meta->find("config");
  if (!result.complete && config && config->is_dictionary()) {
    const std::optional<json> model = JsonFromPickle().convert(*config);
    const std::string name = text_member(*meta, "name").value_or("");
    const std::string usable_name = is_utf8(name) ? name : "";
    if (model) {
      try_complete(result, "meta entry config",
                   [&] { return parse_model_config(model->dump(), usable_name); });
    }
  }
  std::optional<std::string> assignments = text_member(*meta, "cfg");
  if (!assignments) assignments = text_member(*meta, "config");
  if (assignments) {
    result.assignments = parse_python_config(*assignments);
    const bool first = assignments->find("sthv1") != std::string::npos;
    const bool second = assignments->find("sthv2") != std::string::npos;
    if (first != second) result.data_set = first ? "sthv1" : "sthv2";
  }
  return result;
}

bool apply_assignments(const json& assignments, Config& config) {
  const json* model = member(&assignments, "model");
  if (config.backbone.dims == 2) {
    set(config.backbone.num_segments, member(member(model, "backbone"), "num_segments"));
    set(config.backbone.shift_div, member(member(model, "backbone"), "shift_div"));
  }
  const bool has_scales = apply_neck(member(model, "neck"), config.neck);
  const json* head = member(model, "cls_head");
  set(config.head.dropout_ratio, member(head, "dropout_ratio"));
  const std::string average = text(member(head, "average_clips"));
  if (average == "prob" || average == "score") config.head.average_clips = average;
  set(config.fcn_test, member(member(model, "test_cfg"), "fcn_test"));

  config.sampling = default_sampling(config);
  const json* pipeline = member(&assignments, "test_pipeline");
  if (pipeline == nullptr) {
    pipeline = member(member(member(&assignments, "test_dataloader"), "dataset"), "pipeline");
  }
  apply_pipeline(pipeline, config.sampling);
  const json* preprocessor = member(model, "data_preprocessor");
  set(config.sampling.mean, member(preprocessor, "mean"));
  set(config.sampling.std, member(preprocessor, "std"));
  return has_scales;
}

}  // namespace tpn
