#include "engine/evaluation/pickle_dump.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "engine/model/mapped_file.h"
#include "engine/report/class_rank.h"
#include "kernels/error.h"
#include "weights_converter/pickle.h"
#include "weights_converter/pickle_writer.h"
#include "weights_converter/pickled_array.h"

namespace tpn {
namespace {

/// A piece of a stream that begins elsewhere.
PickleWriter piece() {
  PickleWriter writer(PickleWriter::Protocol::three);
  static_cast<void>(writer.take());
  return writer;
}

/// Far above what results of 100,000 videos hold: some 80 values each.
constexpr PickleLimits limits{.bytes = std::size_t{4} << 30,
                              .nodes = std::size_t{1} << 26,
                              .elements = std::size_t{1} << 27,
                              .stack = std::size_t{1} << 24};

constexpr double most_classes = 1e9;

/// Reads the videos of one file.
class PickleReader {
 public:
  explicit PickleReader(std::string name) : name_(std::move(name)) {}

  EvaluatedVideo read(const PickleValue& value, std::size_t entry) const {
    EvaluatedVideo video;
    video.entry = entry;
    video.origin = name_ + ", result " + std::to_string(entry);
    if (!value.is_dictionary()) {  // of mmaction2 0.x
      video.scores = scores_in(value, video.origin);
      return video;
    }
    if (const auto path = value.find("filename")) video.path = std::string(path->text().value_or(""));
    if (const auto label = find(value, "gt_label", "gt_labels")) {
      const PickledArray array = array_in(*label, video.origin);
      if (array.values.size() != 1) {
        throw Error(video.origin + ": it has several labels; each video needs one.");
      }
      const double number = array.values.front();
      if (!(number >= -1 && number < most_classes) || number != std::floor(number)) {
        throw Error(video.origin + ": its label is no number of a class.");
      }
      video.label = static_cast<std::int64_t>(number);
    }
    if (const auto error = value.find("error")) video.error = std::string(error->text().value_or(""));
    if (!video.readable()) return video;
    const auto scores = find(value, "pred_score", "pred_scores");
    if (!scores) throw Error(video.origin + ": it has no pred_score.");
    video.scores = scores_in(*scores, video.origin);
    return video;
  }

 private:
  /// Under its name, or as mmaction2 1.0.0 had it: under the other one, as {"item": value}.
  static std::optional<PickleValue> find(const PickleValue& value, const char* name, const char* older) {
    if (const auto found = value.find(name)) return found;
    const auto outer = value.find(older);
    return outer ? outer->find("item") : std::nullopt;
  }
  static PickledArray array_in(const PickleValue& value, const std::string& place) {
    auto array = parse_pickled_array(value);
    if (!array) throw Error(place + ": " + array.failure().message);
    return *std::move(array);
  }
  /// (K) or (1,K).
  static std::vector<float> scores_in(const PickleValue& value, const std::string& place) {
    const PickledArray array = array_in(value, place);
    const std::size_t rank = array.shape.rank();
    if (array.values.empty() || rank == 0 || std::ssize(array.values) != array.shape[rank - 1]) {
      throw Error(place + ": its scores have the shape " + to_string(array.shape) +
                  "; expected one for each class.");
    }
    std::vector<float> scores(array.values.size());
    std::ranges::transform(array.values, scores.begin(),
                           [](double score) { return static_cast<float>(score); });
    return scores;
  }

  std::string name_;
};

}  // namespace

PickleDump::PickleDump(const std::filesystem::path& path, const EvaluationRun& run)
    : file_(path), classes_(std::ssize(run.classes)), side_(run.crop_size) {
  PickleWriter writer(PickleWriter::Protocol::three);
  writer.empty_list();
  writer.mark();
  file_.write(writer.take());
}

void PickleDump::add(const EvaluatedVideo& video) {
  if (video.label < 0) return;
  std::vector<float> scores = video.scores;
  if (!video.readable()) {
    scores.assign(static_cast<std::size_t>(classes_), 0.0F);
    scores[static_cast<std::size_t>(video.label)] = -1;
  }
  PickleWriter writer = piece();
  const auto label_tensor = [&](const char* key, std::int64_t label) {
    writer.text(key);
    writer.tensor(DType::i64, {1}, std::as_bytes(std::span(&label, 1)));
  };
  writer.empty_dictionary();
  writer.mark();
  writer.text("num_classes");
  writer.integer(classes_);
  writer.text("img_shape");
  writer.mark();
  writer.integer(side_);
  writer.integer(side_);
  writer.close_tuple();
  writer.text("filename");
  writer.text(video.path);
  label_tensor("gt_label", video.label);
  label_tensor("pred_label", best_class(scores));
  writer.text("pred_score");
  writer.tensor(DType::f32, {classes_}, std::as_bytes(std::span(scores)));
  if (!video.readable()) {
    writer.text("error");
    writer.text(video.error);
  }
  writer.set_items();
  file_.write(writer.take());
}

void PickleDump::finish() {
  PickleWriter writer = piece();
  writer.append_items();
  file_.write(writer.finish());
  file_.commit();
}

ScoreTable read_pickle_dump(const std::filesystem::path& path) {
  const MappedFile file = MappedFile::open(path).value_or_throw();
  return parse_pickle_dump(file.bytes(), path.string());
}

ScoreTable parse_pickle_dump(std::span<const std::byte> bytes, const std::string& name) {
  const auto pickle = Pickle::parse(bytes, limits);
  if (!pickle) throw Error(name + ": " + pickle.failure().message);
  const PickleValue root = pickle->root();
  if (root.kind() != PickleKind::list)
    throw Error(name + ": it holds " + describe(root) + "; expected a list of results.");
  const PickleReader reader(name);
  ScoreTable table{name, {}, false, false};
  for (std::size_t i = 0; i < root.size(); ++i) table.videos.push_back(reader.read(root[i], i));
  if (table.videos.empty()) throw Error(name + ": it has no results.");
  const auto all = [&](const auto& has) { return std::ranges::all_of(table.videos, has); };
  table.has_paths = all([](const EvaluatedVideo& video) { return !video.path.empty(); });
  table.has_labels = all([](const EvaluatedVideo& video) { return video.label >= 0; });
  return table;
}

}  // namespace tpn
