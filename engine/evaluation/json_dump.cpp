#include "engine/evaluation/json_dump.h"

#include <fstream>
#include <optional>
#include <string_view>

#include "engine/model/json_reader.h"
#include "engine/report/json_text.h"
#include "kernels/error.h"

namespace tpn {
namespace {

using nlohmann::json;

constexpr int version = 1;
constexpr std::string_view beginning = "{\"tpn_eval\":";
constexpr std::size_t longest_line = std::size_t{1} << 27;

template <class T>
T get(const json& object, const char* key) {
  return object.at(key).get<T>();
}

EvaluationRun parse_heading(const json& o) {
  if (get<int>(o, "tpn_eval") != version) throw Error("it was written by another version of tpn_eval");
  EvaluationRun run;
  run.model = get<std::string>(o, "model");
  run.model_digest = get<std::string>(o, "model_digest");
  run.protocol = get<std::string>(o, "protocol");
  run.clips = get<int>(o, "clips");
  run.crops = get<int>(o, "crops");
  run.short_side = get<int>(o, "short_side");
  run.crop_size = get<int>(o, "crop_size");
  run.averaging = get<std::string>(o, "averaging");
  run.precision = get<std::string>(o, "precision");
  run.accurate_color = get<bool>(o, "accurate_color");
  run.least_frames = get<std::int64_t>(o, "least_frames");
  run.list = get<std::string>(o, "list");
  run.list_digest = get<std::string>(o, "list_digest");
  run.entries = get<std::size_t>(o, "entries");
  run.classes = get<std::vector<std::string>>(o, "classes");
  run.shard =
      parse_shard(get<std::string>(o, "shard"), [](const char*) { return std::optional<std::string>(); });
  return run;
}

EvaluatedVideo parse_video(const json& o, const EvaluationRun& run) {
  EvaluatedVideo video;
  video.entry = get<std::size_t>(o, "entry");
  video.path = get<std::string>(o, "path");
  video.origin = get<std::string>(o, "origin");
  video.label = get<std::int64_t>(o, "label");
  video.frames = get<std::int64_t>(o, "frames");
  video.seconds = get<double>(o, "seconds");
  if (o.contains("scores")) video.scores = get<std::vector<float>>(o, "scores");
  if (o.contains("error")) video.error = get<std::string>(o, "error");
  if (o.contains("warnings")) video.warnings = get<std::vector<std::string>>(o, "warnings");
  const std::size_t classes = run.classes.size();
  if (video.error.empty() ? video.scores.size() != classes : !video.scores.empty()) {
    throw Error("it has " + std::to_string(video.scores.size()) + " scores for " + std::to_string(classes) +
                " classes");
  }
  if (video.entry >= run.entries || !run.shard.has(video.entry)) {
    throw Error("the entry " + std::to_string(video.entry) + " is none of part " + run.shard.text() + " of " +
                std::to_string(run.entries) + " entries");
  }
  if (video.label >= static_cast<std::int64_t>(classes) || (video.label < 0 && video.readable())) {
    throw Error("its label " + std::to_string(video.label) + " is none of " + std::to_string(classes) +
                " classes");
  }
  return video;
}

/// Parses the lines one after the other.
class LineParser {
 public:
  /// Nothing for the heading. Throws Error with a clause, or what the JSON library throws.
  std::optional<EvaluatedVideo> parse(const std::string& line) {
    const json object = parse_json(line, longest_line).value_or_throw();
    if (!heading_) {
      heading_ = parse_heading(object);
      return std::nullopt;
    }
    EvaluatedVideo video = parse_video(object, *heading_);
    if (video.entry < next_) throw Error("the entry " + std::to_string(video.entry) + " is there already");
    next_ = video.entry + 1;
    return video;
  }
  [[nodiscard]] const EvaluationRun& heading() const { return *heading_; }

 private:
  std::optional<EvaluationRun> heading_;
  std::size_t next_ = 0;  // the least entry that may follow
};

}  // namespace

std::string heading_line(const EvaluationRun& run) {
  return JsonObject()
             .add("tpn_eval", version)
             .add("model", run.model)
             .add("model_digest", run.model_digest)
             .add("protocol", run.protocol)
             .add("clips", run.clips)
             .add("crops", run.crops)
             .add("short_side", run.short_side)
             .add("crop_size", run.crop_size)
             .add("averaging", run.averaging)
             .add("precision", run.precision)
             .add("accurate_color", run.accurate_color)
             .add("least_frames", run.least_frames)
             .add("list", run.list)
             .add("list_digest", run.list_digest)
             .add("entries", run.entries)
             .add_json("classes", json_array(run.classes, json_string))
             .add("shard", run.shard.text())
             .text() +
         '\n';
}

std::string video_line(const EvaluatedVideo& video) {
  JsonObject object;
  object.add("entry", video.entry)
      .add("path", video.path)
      .add("origin", video.origin)
      .add("label", video.label)
      .add("frames", video.frames)
      .add("seconds", video.seconds);
  if (video.readable()) {
    object.add_json("scores", json_array(video.scores, json_float));
  } else {
    object.add("error", video.error);
  }
  if (!video.warnings.empty()) object.add_json("warnings", json_array(video.warnings, json_string));
  return object.text() + '\n';
}

bool is_json_dump(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes(beginning.size(), '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return file && bytes == beginning;
}

WholeLines read_json_dump(const std::filesystem::path& path, const JsonDumpEvents& events) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(path.string() + " cannot be read.");
  LineParser parser;
  return for_each_whole_line(file, [&](const std::string& line, int number) {
    const auto refuse = [&](const std::string& why) {
      return Error(path.string() + ", line " + std::to_string(number) + ", is none of tpn_eval's: " + why +
                   (why.ends_with('.') ? "" : "."));
    };
    std::optional<EvaluatedVideo> video;
    try {
      video = parser.parse(line);
    } catch (const json::exception& error) {
      throw refuse(error.what());
    } catch (const Error& error) {
      throw refuse(error.what());
    }
    if (video) {
      events.video(*std::move(video));
    } else {
      events.heading(parser.heading());
    }
  });
}

}  // namespace tpn
