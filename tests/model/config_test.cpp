#include "engine/model/config.h"

#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "kernels/error.h"
#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

using nlohmann::json;

/// The built-in SlowOnly-R50 8x8 as JSON, to be spoilt.
json good() {
  return json::parse(to_json(builtin_config("tpn-slowonly-r50-8x8")));
}
json good_tsm() {
  return json::parse(to_json(builtin_config("tpn-tsm-r50-1x1x8")));
}

/// An empty text, or why it is refused.
std::string refusal(const std::string& text) {
  try {
    parse_config(text);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Config, AllBuiltInsSurviveTheWayThroughJson) {
  EXPECT_EQ(builtin_config_names().size(), 9);
  for (const std::string& name : builtin_config_names()) {
    const Config config = builtin_config(name);
    EXPECT_EQ(config.name, name);
    EXPECT_NO_THROW(validate(config)) << name;
    EXPECT_EQ(parse_config(to_json(config)), config) << name;
    EXPECT_EQ(parse_model_config(json::parse(to_json(config)).at("model").dump(), name), config) << name;
  }
  EXPECT_THROW(builtin_config("tpn-slowonly-r50"), Error);
}

TEST(Config, EveryFieldSurvivesTheWayThroughJson) {
  Config config = builtin_config("tpn-tsm-r50-1x1x8");
  config.name = "n \xc3\xa4 \"quoted\"";
  config.sampling = {1, 3, 16, false, 1, "NCHW", {1.5, 2, 0.1}, {1, 2.25, 1e-3}, 300, 299};
  config.backbone = {101, 2, 8, {0, 1, 3}, {}, 16, 6, TsmPosition::inplace};
  config.neck.in_channels = config.neck.spatial_in_channels = {32, 64, 256};
  config.neck.out_channels = 96;
  config.neck.spatial_out_channels = 256;
  config.neck.temporal_downsample_scales = {4, 8, 16};
  config.neck.upsample_scale.reset();
  config.neck.downsample_scale = ops::Extent3{2, 1, 1};
  config.neck.downsample_before = true;
  config.neck.level_fusion = {{96, 96, 96}, {32, 64, 32}, 7, {{4, 2, 2}, {2, 2, 2}, {1, 2, 2}}};
  config.neck.aux_head = AuxHeadConfig{12, 0.25};
  config.neck.flow_type = FlowType::parallel;
  config.neck.pyramid_channels = 9;
  config.head = {11, 9, 0.125, "score"};
  config.fcn_test = false;
  validate(config);
  EXPECT_EQ(parse_config(to_json(config)), config);
  config.neck.aux_head.reset();
  config.neck.downsample_scale.reset();
  config.neck.downsample_before = false;
  config.head.average_clips = "none";
  EXPECT_EQ(parse_config(to_json(config)), config);
}

TEST(Config, BuiltInsAgreeWithTheReference) {
  const std::filesystem::path folder = std::filesystem::path(TPN_TEST_DATA) / "goldens";
  for (const std::string& name : builtin_config_names()) {
    const json golden = json::parse(test::read_file(folder / (name + ".json"))).at("config");
    const Config tiny = parse_config(golden.dump());
    // The goldens are narrow, with few classes; everything else must be the built-in's.
    Config builtin = builtin_config(name);
    EXPECT_EQ(tiny.sampling, builtin.sampling) << name;
    builtin.name = tiny.name;
    builtin.backbone.base_channels = tiny.backbone.base_channels;
    builtin.head.num_classes = tiny.head.num_classes;
    builtin.head.in_channels = tiny.head.in_channels;
    builtin.neck.aux_head->out_channels = tiny.neck.aux_head->out_channels;
    builtin.neck.in_channels = tiny.neck.in_channels;
    builtin.neck.out_channels = tiny.neck.out_channels;
    builtin.neck.spatial_in_channels = tiny.neck.spatial_in_channels;
    builtin.neck.spatial_out_channels = tiny.neck.spatial_out_channels;
    builtin.neck.level_fusion.in_channels = tiny.neck.level_fusion.in_channels;
    builtin.neck.level_fusion.mid_channels = tiny.neck.level_fusion.mid_channels;
    builtin.neck.level_fusion.out_channels = tiny.neck.level_fusion.out_channels;
    builtin.neck.pyramid_channels = tiny.neck.pyramid_channels;
    EXPECT_EQ(tiny, builtin) << name;
  }
}

TEST(Config, DefaultsStandInForAbsentFields) {
  json config = good();
  config.erase("name");
  config.erase("sampling");
  config["model"].erase("test_cfg");
  config["model"]["backbone"].erase("inflate");
  config["model"]["neck"].erase("flow_type");
  config["model"]["neck"]["level_fusion_cfg"].erase("downsample_scales");
  config["model"]["neck"]["upsample_cfg"]["scale_factor"] = {1.0, 1, 1.0};
  config["model"]["cls_head"].erase("dropout_ratio");
  Config expected = builtin_config("tpn-slowonly-r50-8x8");
  expected.name = "";
  expected.fcn_test = false;
  EXPECT_EQ(parse_config(config.dump()), expected);
  config["model"]["neck"]["aux_head_cfg"] = nullptr;
  EXPECT_FALSE(parse_config(config.dump()).neck.aux_head);
  config["model"]["cls_head"]["average_clips"] = nullptr;
  EXPECT_EQ(parse_config(config.dump()).head.average_clips, "none");
}

TEST(Config, AFoldOfZeroIsLegal) {
  json config = good_tsm();
  config["model"]["backbone"]["shift_div"] = 1000;
  EXPECT_EQ(refusal(config.dump()), "");
}

TEST(Config, RefusesWhatIsNotOneJsonObject) {
  for (const char* text : {"", "{", "[]", "7", "null", "{} {}", "{\"name\": \"\xff\"}"}) {
    EXPECT_NE(refusal(text), "") << text;
  }
  std::string twice = good().dump();
  twice.replace(twice.find("\"depth\":50"), 10, "\"depth\":50,\"depth\":101");
  EXPECT_NE(refusal(twice).find("occurs twice"), std::string::npos) << refusal(twice);
  const auto nested = [](std::size_t levels) {
    return refusal(R"({"name":)" + std::string(levels, '[') + std::string(levels, ']') + "}");
  };
  EXPECT_EQ(nested(15).find("nested"), std::string::npos) << nested(15);
  for (const std::size_t levels : {16U, 100U}) {
    EXPECT_NE(nested(levels).find("nested deeper than 16"), std::string::npos) << nested(levels);
  }
  EXPECT_NE(refusal(std::string(9'000'000, ' ')).find("bytes"), std::string::npos);
}

struct Spoilt {
  const char* path;   ///< JSON pointer
  json value;         ///< put there
  const char* names;  ///< what the message must contain
};

void expect_refused(const json& config, const Spoilt& spoilt) {
  json changed = config;
  changed[json::json_pointer(spoilt.path)] = spoilt.value;
  const std::string reason = refusal(changed.dump());
  EXPECT_NE(reason.find(spoilt.names), std::string::npos)
      << spoilt.path << " = " << spoilt.value << " gave: " << (reason.empty() ? "accepted" : reason);
}

TEST(Config, NamesTheFieldThatIsWrong) {
  for (const Spoilt& spoilt : std::vector<Spoilt>{
           {"/nmae", "x", "nmae"},
           {"/name", 7, "name must be a string"},
           {"/name", std::string(300, 'x'), "name"},
           {"/model", json::array(), "model must be an object"},
           {"/model/backbone/depth", 34, "model.backbone.depth must be 50 or 101, but is 34"},
           {"/model/backbone/depth", "50", "model.backbone.depth must be an integer, but is \"50\""},
           {"/model/backbone/depth", 50.0, "model.backbone.depth"},
           {"/model/backbone/depth", 4294967346, "32 bits"},
           {"/model/backbone/depth", 4294967295, "32 bits"},
           {"/model/backbone/depth", 2147483648, "32 bits"},
           {"/model/backbone/depth", -2147483649, "32 bits"},
           {"/model/backbone/dims", 4, "model.backbone.dims"},
           {"/model/backbone/dims", 2, "inflate"},
           {"/model/backbone/base_channels", 0, "base_channels"},
           {"/model/backbone/base_channels", 1 << 20, "base_channels"},
           {"/model/backbone/base_channels", 32, "model.neck.in_channels"},
           {"/model/backbone/out_indices", {3}, "out_indices must be at least two stages"},
           {"/model/backbone/out_indices", {3, 2}, "out_indices must be at least two stages"},
           {"/model/backbone/out_indices", {2, 2}, "out_indices must be at least two stages"},
           {"/model/backbone/out_indices", {2, 4}, "out_indices must be at least two stages"},
           {"/model/backbone/out_indices", {-1, 2}, "out_indices must be at least two stages"},
           {"/model/backbone/out_indices", {1, 2}, "model.neck.in_channels"},
           {"/model/backbone/inflate", {0, 1}, "inflate"},
           {"/model/backbone/inflate", {0, 0, 2, 1}, "inflate"},
           {"/model/backbone/num_segments", 8, "num_segments"},
           {"/model/neck/in_channels", {1024}, "model.neck.in_channels"},
           {"/model/neck/out_channels", 1000, "multiple of 32"},
           {"/model/neck/out_channels", 1 << 28, "out_channels"},
           {"/model/neck/out_channels", 512, "level_fusion_cfg.in_channels"},
           {"/model/neck/spatial_modulation_cfg/in_channels",
            {1024, 1024},
            "spatial_modulation_cfg.in_channels"},
           {"/model/neck/spatial_modulation_cfg/out_channels", 1024, "spatial_modulation_cfg.out_channels"},
           {"/model/neck/temporal_modulation_cfg/downsample_scales", {8}, "downsample_scales"},
           {"/model/neck/temporal_modulation_cfg/downsample_scales", {8, 0}, "downsample_scales"},
           {"/model/neck/temporal_modulation_cfg/downsample_scales", {8, 2}, "upsample_cfg"},
           {"/model/neck/upsample_cfg/scale_factor", {1, 1}, "scale_factor"},
           {"/model/neck/upsample_cfg/scale_factor", {1.5, 1, 1}, "scale_factor"},
           {"/model/neck/upsample_cfg/scale_factor", {1, 2, 2}, "scale_factor"},
           {"/model/neck/upsample_cfg/scale_factor", {0, 1, 1}, "scale_factor"},
           {"/model/neck/upsample_cfg/scale_factor", {2, 1, 1}, "upsample_cfg"},
           {"/model/neck/upsample_cfg/scale_factor", {1e300, 1, 1}, "scale_factor"},
           {"/model/neck/downsample_cfg/downsample_scale", {1, 1, 1 << 20}, "downsample_scale"},
           {"/model/neck/downsample_cfg/downsample_position", "beside", "downsample_position"},
           {"/model/neck/level_fusion_cfg/mid_channels", {1024, 1000}, "multiple of 32"},
           {"/model/neck/level_fusion_cfg/mid_channels", {1024}, "mid_channels"},
           {"/model/neck/level_fusion_cfg/out_channels", 0, "level_fusion_cfg.out_channels"},
           {"/model/neck/level_fusion_cfg/downsample_scales", json::parse("[[1,1,1]]"), "downsample_scales"},
           {"/model/neck/level_fusion_cfg/downsample_scales", json::parse("[[1,1,1],[1,2,1]]"), "same size"},
           {"/model/neck/aux_head_cfg/out_channels", 399, "aux_head_cfg.out_channels"},
           {"/model/neck/aux_head_cfg/loss_weight", -1, "loss_weight"},
           {"/model/neck/flow_type", "circular", "flow_type"},
           {"/model/neck/pyramid_channels", 1024, "cls_head.in_channels"},
           {"/model/cls_head/num_classes", 0, "num_classes"},
           {"/model/cls_head/num_classes", 1'000'000, "num_classes"},
           {"/model/cls_head/dropout_ratio", 1, "dropout_ratio"},
           {"/model/cls_head/average_clips", "max", "average_clips"},
           {"/model/test_cfg/fcn_test", 1, "fcn_test"},
           {"/sampling/clip_len", 1, "clip_len"},
           {"/sampling/crops", 2, "crops"},
           {"/sampling/input_format", "NCHW", "input_format"},
           {"/sampling/mean", {1, 2}, "mean"},
           {"/sampling/std", {1, 0, 1}, "std[1]"},
           {"/sampling/short_side", 1 << 20, "short_side"},
           {"/sampling/crop_size", 257, "crop_size"},
       }) {
    expect_refused(good(), spoilt);
  }
  for (const Spoilt& spoilt : std::vector<Spoilt>{
           {"/model/backbone/inflate", {0, 0, 0, 0}, "inflate"},
           {"/model/backbone/shift_div", 1, "shift_div"},
           {"/model/backbone/num_segments", 16, "sampling.num_clips"},
           {"/model/backbone/tsm_position", "block", "tsm_position"},
           {"/sampling/clip_len", 8, "clip_len"},
       }) {
    expect_refused(good_tsm(), spoilt);
  }
}

TEST(Config, LevelsMustMeet) {
  // Levels of 4, 2 and 1 frames; the last window of a pool may be shorter than the others.
  const json config = json::parse(to_json(builtin_config("tpn-slowonly-r50-8x8-3level")));
  for (const Spoilt& spoilt : std::vector<Spoilt>{
           {"/sampling/clip_len", 9, "brings 6 frames to a level that has 5"},
           {"/model/neck/temporal_modulation_cfg/downsample_scales", {2, 4, 4}, "brings 4 frames"},
           {"/model/neck/level_fusion_cfg/downsample_scales", json::parse("[[4,1,1],[1,1,1],[1,1,1]]"),
            "level 1 differs"},
           {"/model/neck/level_fusion_cfg/downsample_scales", json::parse("[[4,1,1],[2,1,1],[1,1,2]]"),
            "level 2 differs"},
       }) {
    expect_refused(config, spoilt);
  }
  json seven = config;
  seven["sampling"]["clip_len"] = 7;
  EXPECT_EQ(refusal(seven.dump()), "") << "windows of 2, 2, 2 and 1 frames";
}

TEST(Config, NamesTheFieldThatIsMissing) {
  for (const char* path :
       {"/model", "/model/backbone", "/model/neck/in_channels", "/model/neck/level_fusion_cfg",
        "/model/neck/spatial_modulation_cfg/out_channels", "/model/cls_head/num_classes"}) {
    json config = good();
    const json::json_pointer pointer(path);
    config[pointer.parent_pointer()].erase(pointer.back());
    EXPECT_NE(refusal(config.dump()).find(pointer.back() + " is missing"), std::string::npos)
        << path << ": " << refusal(config.dump());
  }
}

}  // namespace
}  // namespace tpn
