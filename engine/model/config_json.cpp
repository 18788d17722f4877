// Configurations as JSON.
#include <algorithm>

#include "engine/model/config.h"
#include "engine/model/json_reader.h"
#include "engine/model/mapped_file.h"
#include "engine/model/text.h"

namespace tpn {
namespace {

using nlohmann::ordered_json;

/// Overwrites `target` with the member's value where the object has it.
void read(const JsonField& object, const char* key, int& target) {
  if (const auto field = object.find(key)) target = field->integer();
}
void read(const JsonField& object, const char* key, double& target) {
  if (const auto field = object.find(key)) target = field->number();
}
void read(const JsonField& object, const char* key, bool& target) {
  if (const auto field = object.find(key)) target = field->boolean();
}
void read(const JsonField& object, const char* key, std::string& target) {
  if (const auto field = object.find(key)) target = field->text();
}
void read(const JsonField& object, const char* key, std::vector<int>& target) {
  if (const auto field = object.find(key)) target = field->integers();
}
void read(const JsonField& object, const char* key, std::array<double, 3>& target) {
  const auto field = object.find(key);
  if (!field) return;
  const std::vector<double> values = field->numbers();
  if (values.size() != target.size()) throw Error(field->path() + " must have three elements (R, G, B).");
  std::copy(values.begin(), values.end(), target.begin());
}

/// One of two words.
template <class Choice>
void read(const JsonField& object, const char* key, const char* first, const char* second, Choice& target) {
  const auto field = object.find(key);
  if (!field) return;
  const std::string word = field->text();
  if (word != first && word != second) {
    throw Error(field->path() + " must be \"" + first + "\" or \"" + second + "\", but is \"" + word + "\".");
  }
  target = static_cast<Choice>(word == second);
}

BackboneConfig parse_backbone(const JsonField& object) {
  BackboneConfig backbone;
  read(object, "dims", backbone.dims);
  if (backbone.dims == 2) {
    object.allow_only(
        {"depth", "dims", "base_channels", "out_indices", "num_segments", "shift_div", "tsm_position"});
  } else {
    object.allow_only({"depth", "dims", "base_channels", "out_indices", "inflate"});
    backbone.inflate = {0, 0, 1, 1};
  }
  backbone.out_indices = {2, 3};
  read(object, "depth", backbone.depth);
  read(object, "base_channels", backbone.base_channels);
  read(object, "out_indices", backbone.out_indices);
  read(object, "num_segments", backbone.num_segments);
  read(object, "shift_div", backbone.shift_div);
  read(object, "tsm_position", "residual", "inplace", backbone.tsm_position);
  if (const auto field = object.find("inflate")) {
    const std::vector<int> flags = field->integers();
    if (flags.size() != backbone.inflate.size())
      throw Error(field->path() + " must have four elements, one per stage.");
    std::copy(flags.begin(), flags.end(), backbone.inflate.begin());
  }
  return backbone;
}

LevelFusionConfig parse_fusion(const JsonField& object) {
  object.allow_only({"in_channels", "mid_channels", "out_channels", "downsample_scales"});
  LevelFusionConfig fusion;
  fusion.in_channels = object.at("in_channels").integers();
  fusion.mid_channels = object.at("mid_channels").integers();
  fusion.out_channels = object.at("out_channels").integer();
  if (const auto scales = object.find("downsample_scales")) {
    for (const JsonField& scale : scales->elements()) fusion.downsample_scales.push_back(scale.extents());
  } else {
    fusion.downsample_scales.assign(fusion.in_channels.size(), ops::Extent3{1, 1, 1});
  }
  return fusion;
}

NeckConfig parse_neck(const JsonField& object) {
  object.allow_only({"in_channels", "out_channels", "spatial_modulation_cfg", "temporal_modulation_cfg",
                     "upsample_cfg", "downsample_cfg", "level_fusion_cfg", "aux_head_cfg", "flow_type",
                     "pyramid_channels"});
  NeckConfig neck;
  neck.in_channels = object.at("in_channels").integers();
  neck.out_channels = object.at("out_channels").integer();

  const JsonField spatial = object.at("spatial_modulation_cfg");
  spatial.allow_only({"in_channels", "out_channels"});
  neck.spatial_in_channels = spatial.at("in_channels").integers();
  neck.spatial_out_channels = spatial.at("out_channels").integer();

  const JsonField temporal = object.at("temporal_modulation_cfg");
  temporal.allow_only({"downsample_scales"});
  neck.temporal_downsample_scales = temporal.at("downsample_scales").integers();

  if (const auto up = object.find("upsample_cfg")) {
    up->allow_only({"scale_factor"});
    neck.upsample_scale = up->at("scale_factor").extents();
  }
  if (const auto down = object.find("downsample_cfg")) {
    down->allow_only({"downsample_scale", "downsample_position"});
    neck.downsample_scale = down->at("downsample_scale").extents();
    read(*down, "downsample_position", "after", "before", neck.downsample_before);
  }
  neck.level_fusion = parse_fusion(object.at("level_fusion_cfg"));
  if (const auto aux = object.find("aux_head_cfg")) {
    aux->allow_only({"out_channels", "loss_weight"});
    neck.aux_head = AuxHeadConfig{aux->at("out_channels").integer()};
    read(*aux, "loss_weight", neck.aux_head->loss_weight);
  }
  read(object, "flow_type", "cascade", "parallel", neck.flow_type);
  read(object, "pyramid_channels", neck.pyramid_channels);
  return neck;
}

HeadConfig parse_head(const JsonField& object) {
  object.allow_only({"num_classes", "in_channels", "dropout_ratio", "average_clips"});
  HeadConfig head;
  head.num_classes = object.at("num_classes").integer();
  read(object, "in_channels", head.in_channels);
  read(object, "dropout_ratio", head.dropout_ratio);
  read(object, "average_clips", head.average_clips);
  if (object.has_null("average_clips")) head.average_clips = "none";
  return head;
}

SamplingConfig parse_sampling(const JsonField& object) {
  object.allow_only({"clip_len", "frame_interval", "num_clips", "twice_sample", "crops", "input_format",
                     "mean", "std", "short_side", "crop_size"});
  SamplingConfig sampling;
  sampling.clip_len = object.at("clip_len").integer();
  read(object, "frame_interval", sampling.frame_interval);
  read(object, "num_clips", sampling.num_clips);
  read(object, "twice_sample", sampling.twice_sample);
  read(object, "crops", sampling.crops);
  read(object, "input_format", sampling.input_format);
  read(object, "mean", sampling.mean);
  read(object, "std", sampling.std);
  read(object, "short_side", sampling.short_side);
  read(object, "crop_size", sampling.crop_size);
  return sampling;
}

void parse_model(const JsonField& object, Config& config) {
  object.allow_only({"backbone", "neck", "cls_head", "test_cfg"});
  config.backbone = parse_backbone(object.at("backbone"));
  config.neck = parse_neck(object.at("neck"));
  config.head = parse_head(object.at("cls_head"));
  config.fcn_test = false;
  if (const auto test = object.find("test_cfg")) {
    test->allow_only({"fcn_test"});
    read(*test, "fcn_test", config.fcn_test);
  }
}

nlohmann::json parse_or_throw(std::string_view text) {
  return parse_json(text).value_or_throw("Configuration");
}

ordered_json backbone_json(const BackboneConfig& backbone) {
  ordered_json object = {{"depth", backbone.depth},
                         {"dims", backbone.dims},
                         {"base_channels", backbone.base_channels},
                         {"out_indices", backbone.out_indices}};
  if (backbone.dims == 3) {
    object["inflate"] = backbone.inflate;
  } else {
    object["num_segments"] = backbone.num_segments;
    object["shift_div"] = backbone.shift_div;
    object["tsm_position"] = backbone.tsm_position == TsmPosition::inplace ? "inplace" : "residual";
  }
  return object;
}

ordered_json neck_json(const NeckConfig& neck) {
  ordered_json object = {
      {"in_channels", neck.in_channels},
      {"out_channels", neck.out_channels},
      {"spatial_modulation_cfg",
       {{"in_channels", neck.spatial_in_channels}, {"out_channels", neck.spatial_out_channels}}},
      {"temporal_modulation_cfg", {{"downsample_scales", neck.temporal_downsample_scales}}}};
  if (neck.upsample_scale) object["upsample_cfg"] = {{"scale_factor", *neck.upsample_scale}};
  if (neck.downsample_scale) {
    object["downsample_cfg"] = {{"downsample_scale", *neck.downsample_scale},
                                {"downsample_position", neck.downsample_before ? "before" : "after"}};
  }
  object["level_fusion_cfg"] = {{"in_channels", neck.level_fusion.in_channels},
                                {"mid_channels", neck.level_fusion.mid_channels},
                                {"out_channels", neck.level_fusion.out_channels},
                                {"downsample_scales", neck.level_fusion.downsample_scales}};
  if (neck.aux_head) {
    object["aux_head_cfg"] = {{"out_channels", neck.aux_head->out_channels},
                              {"loss_weight", neck.aux_head->loss_weight}};
  }
  object["flow_type"] = neck.flow_type == FlowType::parallel ? "parallel" : "cascade";
  object["pyramid_channels"] = neck.pyramid_channels;
  return object;
}

ordered_json sampling_json(const SamplingConfig& sampling) {
  return {{"clip_len", sampling.clip_len},
          {"frame_interval", sampling.frame_interval},
          {"num_clips", sampling.num_clips},
          {"twice_sample", sampling.twice_sample},
          {"crops", sampling.crops},
          {"input_format", sampling.input_format},
          {"mean", sampling.mean},
          {"std", sampling.std},
          {"short_side", sampling.short_side},
          {"crop_size", sampling.crop_size}};
}

}  // namespace

SamplingConfig default_sampling(const Config& config) {
  for (const std::string& name : builtin_config_names()) {
    const Config builtin = builtin_config(name);
    if (builtin.backbone.dims != config.backbone.dims) continue;
    if (config.backbone.dims == 2) {
      SamplingConfig sampling = builtin.sampling;
      sampling.num_clips = config.backbone.num_segments;
      return sampling;
    }
    const auto& scales = config.neck.temporal_downsample_scales;
    if (!scales.empty() && *std::max_element(scales.begin(), scales.end()) == builtin.sampling.clip_len) {
      return builtin.sampling;
    }
  }
  return {};
}

Config parse_config(std::string_view json) {
  const nlohmann::json document = parse_or_throw(json);
  const JsonField root(document, "");
  root.allow_only({"name", "sampling", "model"});
  Config config;
  read(root, "name", config.name);
  parse_model(root.at("model"), config);
  const auto sampling = root.find("sampling");
  config.sampling = sampling ? parse_sampling(*sampling) : default_sampling(config);
  validate(config);
  return config;
}

Config parse_model_config(std::string_view json, const std::string& name) {
  const nlohmann::json document = parse_or_throw(json);
  Config config;
  config.name = name;
  parse_model(JsonField(document, "model"), config);
  config.sampling = default_sampling(config);
  validate(config);
  return config;
}

std::string to_json(const Config& config) {
  const ordered_json document = {{"name", config.name},
                                 {"sampling", sampling_json(config.sampling)},
                                 {"model",
                                  {{"backbone", backbone_json(config.backbone)},
                                   {"neck", neck_json(config.neck)},
                                   {"cls_head",
                                    {{"num_classes", config.head.num_classes},
                                     {"in_channels", config.head.in_channels},
                                     {"dropout_ratio", config.head.dropout_ratio},
                                     {"average_clips", config.head.average_clips}}},
                                   {"test_cfg", {{"fcn_test", config.fcn_test}}}}}};
  try {
    return document.dump();
  } catch (const nlohmann::json::exception&) {
    throw Error("The configuration's name is not valid UTF-8.");
  }
}

Config load_config(const std::string& name_or_path) {
  const std::vector<std::string>& names = builtin_config_names();
  const bool is_builtin = std::find(names.begin(), names.end(), name_or_path) != names.end();
  if (is_builtin || !name_or_path.ends_with(".json")) return builtin_config(name_or_path);
  const MappedFile file = MappedFile::open(name_or_path).value_or_throw();
  try {
    return parse_config(as_text(file.bytes()));
  } catch (const Error& error) {
    throw Error(name_or_path + ": " + error.what());
  }
}

}  // namespace tpn
