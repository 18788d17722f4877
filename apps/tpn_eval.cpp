// tpn_eval: how good a model is, under the rules of published figures.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "apps/eval_options.h"
#include "apps/files_in_use.h"
#include "apps/load_model.h"
#include "apps/program.h"
#include "apps/result_file.h"
#include "apps/terminal_line.h"
#include "engine/evaluation/evaluate.h"
#include "engine/evaluation/evaluation_page.h"
#include "engine/evaluation/json_dump.h"
#include "engine/evaluation/merge.h"
#include "engine/evaluation/protocol.h"
#include "engine/evaluation/results_text.h"
#include "engine/evaluation/score_dump.h"
#include "engine/model/config.h"
#include "engine/model/labels.h"
#include "engine/report/html_text.h"
#include "engine/video/frame_pattern.h"
#include "kernels/error.h"
#include "kernels/precision_info.h"
#include "kernels/stopwatch.h"

namespace tpn::app {
namespace {

constexpr const char* footer = R"(
Lists: lines of PATH LABEL; FOLDER FRAMES LABEL for raw frames; CSV with or without a heading; Something-Something's
JSON; or a folder with one folder a class. Labels are numbers from 0, or names.

Given are top-1, top-5 and mean class accuracy with intervals of 95 %, over all entries (what cannot be read counts as
wrong) and over the readable videos; by class, by confidence and by length; what was taken for what. Videos that cannot
be read are named with list and line on standard error, counted, and never left out silently.

A --dump in lines of JSON grows by one video at a time: after a signal, or kill -9, the same command with --resume goes
on. Its parts, made with --shard on several machines, are put together by --merge, to the same figures as the whole.

Exit status: 0 all went well; 1 some videos could not be used, the others were judged; 2 nothing was done because the
options, the list, the model or the device cannot be used;
)";

constexpr const char* examples = R"(

Examples:
  tpn_eval --model tpn-slowonly-r50-8x8.safetensors --list kinetics_val_list.txt --root videos_val --protocol k400 \
    --dump k400.jsonl --html k400.html
  tpn_eval --model tsm.safetensors --list sthv1_val_list_rawframes.txt --root rawframes \
    --filename-template '{:05}.jpg' --protocol sthv1 --dump sthv1.jsonl
  srun --array=0-7 tpn_eval --model m.safetensors --list val.txt --shard auto --dump part$SLURM_ARRAY_TASK_ID.jsonl
  tpn_eval --merge part*.jsonl --dump all.pkl --compare mmaction2.pkl)";

/// What --shard auto asks.
std::optional<std::string> environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

DumpFormat format_of(const std::string& file, const std::string& given) {
  return given.empty() ? dump_format_of(file) : dump_format_named(given);
}

/// "3 h 20 min".
std::string time_text(double seconds) {
  const auto minutes = static_cast<std::int64_t>(seconds / 60);
  if (minutes >= 60) return std::to_string(minutes / 60) + " h " + std::to_string(minutes % 60) + " min";
  if (minutes >= 1) return std::to_string(minutes) + " min";
  return std::to_string(static_cast<std::int64_t>(seconds)) + " s";
}

/// Where a run's videos go.
class Results {
 public:
  /// resumed: bytes of the lines that a JSON dump has already; 0: it begins anew.
  Results(const EvalArguments& a, EvaluationRun run, std::uint64_t resumed)
      : format_(a.format), html_(a.html), run_(std::move(run)), tally_(run_) {
    if (!a.compare.empty()) {
      comparer_.emplace(read_score_table(a.compare, format_of(a.compare, a.compare_format)), run_.entries);
    }
    for (const std::string& file : a.dumps) {
      const DumpFormat format = format_of(file, a.dump_format);
      if (format != DumpFormat::json_lines) {
        dumps_.push_back(open_score_dump(file, format, run_));
      } else if (resumed > 0) {
        lines_.push_back(std::make_unique<ResultFile>(file, resumed));
      } else {
        lines_.push_back(std::make_unique<ResultFile>(file));
        heading_ = heading_line(run_);
      }
      if (format == DumpFormat::json_lines) line_file_ = file;
    }
  }

  /// A video that a JSON dump has already.
  void add_earlier(const EvaluatedVideo& video) {
    tally_.add(video);
    if (comparer_) comparer_->add(video);
    for (const auto& dump : dumps_) dump->add(video);
    ++videos_;
  }
  void add(const EvaluatedVideo& video) {
    const std::string text = std::exchange(heading_, {}) + video_line(video);
    for (const auto& file : lines_) file->write(text);
    add_earlier(video);
  }

  /// What an interrupted program says.
  [[nodiscard]] std::string so_far() const {
    return std::to_string(videos_) + " of " + std::to_string(run_.shard.size(run_.entries)) +
           " videos were judged" +
           (line_file_.empty() ? "" : "; their scores are in " + line_file_ + ", go on by --resume");
  }

  /// The exit status.
  int finish() {
    for (const auto& file : lines_) file->finish();
    for (const auto& dump : dumps_) dump->finish();
    EvaluationResults results{run_, tally_.summary(), std::nullopt};
    if (comparer_) results.comparison = comparer_->finish();
    if (!html_.empty()) write_evaluation_page(results, html_);
    print(format_ == "json" ? results_json(results) : results_text(results));
    return results.summary.failed > 0 ? input_failed : success;
  }

 private:
  std::string format_;
  std::string html_;
  EvaluationRun run_;
  EvaluationTally tally_;
  std::optional<Comparer> comparer_;
  std::vector<std::unique_ptr<ResultFile>> lines_;
  std::vector<std::unique_ptr<ScoreDump>> dumps_;
  std::string line_file_;
  std::string heading_;  // not written yet: a file that is there is replaced with the first video
  std::atomic<std::size_t> videos_ = 0;
};

/// Throws OptionError or OutputError.
void check_outputs(const EvalArguments& a) {
  FilesInUse files;
  for (const auto& [path, what] :
       {std::pair(a.model, "model"), std::pair(a.list, "list"), std::pair(a.labels, "labels"),
        std::pair(a.compare, "results to compare with")}) {
    if (!path.empty()) files.reads(path, what);
  }
  for (const std::string& part : a.merge) files.reads(part, "part to be merged");
  for (const std::string& dump : a.dumps) files.writes(dump, "--dump " + dump);
  if (!a.html.empty()) {
    files.writes(a.html, "--html " + a.html);
    check_output_file(a.html);
  }
  files.writes_standard_output();
}

/// Throws OptionError.
void check_dumps(const EvalArguments& a) {
  const auto is_lines = [&](const std::string& file) {
    return format_of(file, a.dump_format) == DumpFormat::json_lines;
  };
  const auto lines = std::ranges::count_if(a.dumps, is_lines);
  if (a.resume && lines != 1) throw OptionError("--resume goes with one --dump in lines of JSON (.jsonl).");
}

std::vector<std::string> class_names(const EvalArguments& a, const Model& model) {
  const auto classes = static_cast<std::size_t>(model.classes());
  std::vector<std::string> names = a.labels.empty() ? model.labels() : load_labels(a.labels);
  if (!a.labels.empty() && names.size() != classes) {
    throw OptionError("--labels " + a.labels + " has " + std::to_string(names.size()) +
                      " names, and the model has " + std::to_string(classes) + " classes.");
  }
  names.resize(classes);
  return names;
}

RecognizerOptions chosen_options(const EvalArguments& a, const Model& model) {
  RecognizerOptions options = recognizer_options(a.recognizer);
  if (!a.average.empty())
    options.averaging = a.average == "prob" ? Averaging::probabilities : Averaging::scores;
  if (!a.filename_template.empty()) {
    options.frames = FramePattern(a.filename_template).text();
    options.first_frame = a.start_index;
  }
  return with_protocol(a.protocol, model, options);
}

EvaluationRun describe_run(const EvalArguments& a, const Recognizer& recognizer, const std::string& digest,
                           const RecognizerOptions& options, const EvaluationList& list) {
  const Config config = parse_config(recognizer.model().config_json());
  const SamplingConfig& sampling = config.sampling;
  EvaluationRun run;
  run.model = recognizer.model().name();
  run.model_digest = digest;
  run.protocol = a.protocol;
  run.clips = recognizer.clips();
  run.crops = recognizer.crops();
  run.short_side = options.short_side > 0 ? options.short_side : sampling.short_side;
  run.crop_size = options.crop_size > 0 ? options.crop_size : sampling.crop_size;
  run.averaging = config.head.average_clips == "score" ? "score" : "prob";
  if (options.averaging != Averaging::automatic) {
    run.averaging = options.averaging == Averaging::scores ? "score" : "prob";
  }
  run.precision = std::string(name_of(options.precision));
  run.accurate_color = options.accurate_color;
  run.least_frames =
      sampling.clip_len > 1 ? (sampling.clip_len - 1) * sampling.frame_interval + 1 : sampling.num_clips;
  run.list = list.name;
  run.list_digest = list.digest();
  run.entries = list.entries.size();
  run.classes = list.classes;
  run.shard = parse_shard(a.shard, environment);
  return run;
}

/// The videos that the JSON dump has, and how much of it is whole.
struct Earlier {
  std::vector<EvaluatedVideo> videos;
  std::uint64_t bytes = 0;
};

Earlier read_earlier(const EvalArguments& a, const EvaluationRun& run) {
  const auto file = std::ranges::find_if(a.dumps, [&](const std::string& dump) {
    return format_of(dump, a.dump_format) == DumpFormat::json_lines;
  });
  Earlier earlier;
  if (!a.resume || !std::filesystem::exists(*file)) return earlier;
  const auto check = [&](const EvaluationRun& heading) {
    require_same_run(run, heading, *file);
    if (heading.shard != run.shard)
      throw Error(*file + " is part " + heading.shard.text() + " of the list, not " + run.shard.text() + ".");
  };
  const WholeLines end = read_json_dump(
      *file, {check, [&](EvaluatedVideo&& video) { earlier.videos.push_back(std::move(video)); }});
  earlier.bytes = end.bytes;
  const std::size_t expected = earlier.videos.empty() ? 0
                                                      : earlier.videos.back().entry / run.shard.count +
                                                            1;  // they are in the list's order
  if (earlier.videos.size() != expected) throw Error(*file + " has gaps, so that nothing can go on with it.");
  if (end.torn) say("warning: the last line of " + *file + " has no end and is dropped.");
  say(std::to_string(earlier.videos.size()) + " of " + std::to_string(run.shard.size(run.entries)) +
      " videos have scores in " + *file + " already.");
  return earlier;
}

/// Judges what has no scores yet.
void judge(Recognizer& recognizer, const EvaluationList& list, const std::vector<std::size_t>& entries,
           Results& results) {
  TerminalLine line;
  const Stopwatch clock;
  std::size_t done = 0;
  const auto show = [&](const std::string& what) {
    const double rate = static_cast<double>(done) / std::max(clock.seconds(), 1e-9);
    std::string text = std::to_string(done) + "/" + std::to_string(entries.size());
    if (done > 0) {
      text += "  " + fixed(rate, 2) + " videos/s, " +
              time_text(static_cast<double>(entries.size() - done) / rate) + " left";
    }
    line.show(text + "  " + what);
  };
  EvaluationEvents events;
  events.video = [&](EvaluatedVideo&& video) {
    line.clear();
    if (!video.readable()) say(video.error);
    for (const std::string& warning : video.warnings) say("warning: " + video.origin + ": " + warning);
    results.add(video);
    ++done;
    show("");
  };
  events.progress = [&](std::size_t entry, const Progress& progress) {
    show("view " + std::to_string(progress.views_done) + " of " + std::to_string(progress.views) + "  " +
         list.entries[entry].path);
  };
  evaluate(recognizer, list, entries, events);
}

int merge(const EvalArguments& a) {
  const std::vector<std::filesystem::path> parts(a.merge.begin(), a.merge.end());
  MergedEvaluation merged = merge_evaluations(parts);
  Results results(a, std::move(merged.run), 0);
  for (const EvaluatedVideo& video : merged.videos) results.add(video);
  return results.finish();
}

int run(const EvalArguments& a) {
  check_dumps(a);
  before_work([&] { check_outputs(a); });
  if (!a.merge.empty()) return merge(a);
  const auto [model, digest] = load_model(a.model);
  const EvaluationList list = read_evaluation_list(
      a.list, class_names(a, model),
      {.root = a.root, .raw_frames = {.pattern = a.filename_template, .start_index = a.start_index}});
  for (const std::string& warning : list.warnings) say("warning: " + warning);
  const RecognizerOptions options = chosen_options(a, model);
  Recognizer recognizer(model, options);
  const EvaluationRun evaluation = describe_run(a, recognizer, digest, options, list);
  Earlier earlier = read_earlier(a, evaluation);
  std::vector<std::size_t> entries;
  for (std::size_t entry = earlier.videos.empty() ? 0 : earlier.videos.back().entry + 1;
       entry < evaluation.entries; ++entry) {
    if (evaluation.shard.has(entry)) entries.push_back(entry);
  }
  Results results(a, evaluation, earlier.bytes);
  for (const EvaluatedVideo& video : earlier.videos) results.add_earlier(video);
  earlier = {};
  const AtInterrupt tell([&] { return results.so_far(); });
  judge(recognizer, list, entries, results);
  return results.finish();
}

}  // namespace
}  // namespace tpn::app

int main(int argc, char** argv) try {
  using namespace tpn::app;
  EvalArguments arguments;
  CLI::App app("Tells how good a model is on a list of videos.", "tpn_eval");
  app.footer(std::string(footer) + common_exit_statuses + examples);
  app.set_version_flag("--version", "tpn_eval " TPN_VERSION);
  app.get_formatter()->column_width(34);
  declare_options(app, arguments);
  app.final_callback([&] {
    const bool judges = !arguments.model.empty() && !arguments.list.empty();
    if (arguments.merge.empty() && !judges) throw CLI::RequiredError("--model and --list (or --merge)");
    if (!arguments.merge.empty() && (!arguments.model.empty() || !arguments.list.empty())) {
      throw CLI::ValidationError("--merge takes the place of --model and --list");
    }
  });
  return run_program(app, argc, argv, wrong_usage, [&] { return run(arguments); });
} catch (const std::exception& error) {
  return tpn::app::failed_to_start(error);
}
