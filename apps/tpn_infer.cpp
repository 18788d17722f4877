// tpn_infer: classifies videos.
#include <atomic>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "apps/earlier_results.h"
#include "apps/files_in_use.h"
#include "apps/input_list.h"
#include "apps/load_model.h"
#include "apps/number.h"
#include "apps/program.h"
#include "apps/recognizer_options.h"
#include "apps/result_file.h"
#include "apps/result_format.h"
#include "apps/terminal_line.h"
#include "engine/recognize/tpn.h"
#include "engine/video/frame_pattern.h"
#include "kernels/error.h"

namespace tpn::app {
namespace {

constexpr const char* description =
    R"(Tells which action a video shows.

Give a model file (made by tpn_convert) or a checkpoint and videos; for each the most likely classes are printed.)";

constexpr const char* inputs_help = R"(
VIDEO may be
  a video file          anything that FFmpeg's libraries decode
  a folder of videos    each of them and of those in folders below it (by the ends of their names), in natural
                        order: 2.mp4 before 10.mp4
  a folder of images    the frames of one video, in the order of their numbers; images beside them that are
                        optical flow, depth or the like by name are left out
  a folder of those     each of them is a video
  @LIST                 a text file with one name a line
  -                     names on standard input, one a line, read to its end first
  a URL                 with --allow-urls

A video is seen through views: clips spread over its duration, times crops of the picture. The more views,
the longer it takes and the better the answer; by default the protocol under which the model's accuracy was
measured is used. --views 1x1 is for a quick look.

With --format json each input gives one line with one object: input, frames, fps, duration (seconds), views,
clips, crops, top (label, index, score), timings (ms; the stages overlap), warnings if there are any, run (a
name for the model and the options that results depend on); or input, error and run.

--output takes the place of a file that is there when the first result is written, and grows by one result at a
time. If the program is stopped, the same command with --resume goes on: it leaves out the inputs that the file
has results for, failures too.

Exit status: 0 all went well; 1 some input failed, the others were classified; 2 nothing was done because
the options, the model or the device cannot be used;
)";

constexpr const char* examples = R"(

Examples:
  tpn_infer --model tpn-slowonly-r50-8x8.safetensors jump.mp4
  tpn_infer --model m.safetensors --views 1x1 --top 1 clips/
  find . -name '*.mp4' | tpn_infer --model m.safetensors --format json --output results.jsonl -
  tpn_infer --model m.safetensors jump.mp4 --save-tensors jump.safetensors --features
  tpn_infer --model m.safetensors --tensor jump.safetensors)";

// Larger numbers are mistakes; what a model or a machine has is compared where it is known.
constexpr int most_classes = 1000000;

struct Arguments {
  std::string model;
  std::vector<std::string> videos;
  std::string tensor;
  InputOptions inputs;
  std::string format = "text";
  std::string output;
  bool resume = false;
  int top = 5;
  bool top_given = false;
  bool output_given = false;
  bool dump_given = false;
  bool scores = false;
  TensorDump dump;
  RecognizerArguments recognizer;
};

void declare_options(CLI::App& app, Arguments& a) {
  app.add_option(
         "--model", a.model,
         "Model file (safetensors), or a checkpoint (.pth), which is converted once and kept in the cache")
      ->required()
      ->type_name("FILE");
  CLI::Option* videos = app.add_option("VIDEO", a.videos, "What to classify; see below")->type_name("");
  app.add_option("--tensor", a.tensor,
                 "Instead of videos, classify the prepared views in the tensor 'input' of this safetensors "
                 "file, (views,3,T,H,W); for TSM, T is the segments")
      ->type_name("FILE")
      ->excludes(videos);

  app.add_option("--top", a.top, "Print the N most likely classes")
      ->type_name("N")
      ->transform(whole_number(1, most_classes))
      ->capture_default_str()
      ->group("Results");
  app.add_option("--format", a.format, "text, or json: one object a line for each input")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json"}).description(""))
      ->capture_default_str()
      ->group("Results");
  app.add_flag("--scores", a.scores, "Print the scores of all classes too, by index")->group("Results");
  CLI::Option* output =
      app.add_option("--output", a.output,
                     "Write the results to this file instead of standard output, each as soon "
                     "as it is there")
          ->type_name("FILE")
          ->group("Results");
  app.add_flag("--resume", a.resume, "With --format json, go on with an --output that was not finished")
      ->needs(output)
      ->group("Results");
  CLI::Option* save =
      app.add_option_function<std::string>(
             "--save-tensors", [&a](const std::string& path) { a.dump.path = path; },
             "For a single input, write frame_indices (clips,T), input (views,3,T,H,W), logits (views,K) and "
             "scores (K) to this safetensors file")
          ->type_name("FILE")
          ->group("Results");
  app.add_flag("--features", a.dump.features, "Save every intermediate result of the network too")
      ->needs(save)
      ->group("Results");

  declare_work_options(app, a.recognizer);
  declare_video_options(app, a.recognizer);
  app.add_option_function<std::string>(
         "--frames",
         [&a](const std::string& pattern) {
           a.inputs.frames = a.recognizer.options.frames = FramePattern(pattern).text();
         },
         "What the frames in folders of images are called: 'img_%05d.jpg', 'img_{:05}.jpg' or 'img_*.jpg'; "
         "by default it is told from the names")
      ->type_name("PATTERN")
      ->group("Videos");
  app.add_flag("--null", a.inputs.null_separated,
               "Names in lists end with a NUL byte instead of a line's end, as find -print0 writes them")
      ->group("Videos");
}

/// Where results go, and how many inputs failed.
class Report {
 public:
  /// Goes on behind the earlier results where the arguments say so.
  Report(const Arguments& a, const std::string& run, const EarlierResults& earlier, std::size_t inputs)
      : format_{a.format == "json", a.top, a.scores, run},
        name_(a.output),
        inputs_(inputs),
        failures_(earlier.failures()) {
    if (a.output.empty()) {
      results_.emplace();
    } else if (earlier.bytes() > 0) {
      results_.emplace(a.output, earlier.bytes());
    } else {
      results_.emplace(a.output);
    }
  }

  void progress(const std::string& text) { line_.show(text); }

  void add(const Recognition& recognition) {
    line_.clear();
    for (const std::string& warning : recognition.warnings) say("warning: " + warning);
    write(format_result(recognition, format_));
  }
  void add_failure(const std::string& input, const std::string& error) {
    line_.clear();
    ++failures_;
    say(error);
    write(format_failure(input, error, format_));
  }

  /// What an interrupted program says.
  [[nodiscard]] std::string so_far() const {
    return std::to_string(written_) + " of " + std::to_string(inputs_) +
           (inputs_ == 1 ? " input was" : " inputs were") + " finished" +
           (name_.empty() || written_ == 0 ? "" : "; their results are in " + name_);
  }

  /// The exit status.
  int finish() {
    line_.clear();
    results_->finish();
    return failures_ > 0 ? input_failed : success;
  }

 private:
  void write(const std::string& text) {
    if (!text.empty()) results_->write(text);
    ++written_;
  }

  ResultFormat format_;
  std::string name_;
  std::size_t inputs_;
  std::optional<ResultFile> results_;
  TerminalLine line_;
  int failures_;
  std::atomic<std::size_t> written_ = 0;
};

/// One input whose tensors may have to be saved.
void classify_one(Recognizer& recognizer, const Arguments& a, const std::string& input, Report& report) {
  report.progress(input);
  Recognition recognition;
  try {
    const bool dump = !a.dump.path.empty();
    recognition = a.tensor.empty()
                      ? recognizer.classify(input, a.dump)
                      : recognizer.classify_tensor(input, dump ? std::optional(a.dump) : std::nullopt);
  } catch (const OutputError&) {
    throw;
  } catch (const std::bad_alloc&) {
    report.add_failure(input, input + ": there is not enough memory.");
    return;
  } catch (const std::exception& e) {
    report.add_failure(input, e.what());
    return;
  }
  report.add(recognition);
}

void classify_all(Recognizer& recognizer, const std::vector<std::string>& inputs, Report& report) {
  const auto place = [&](std::size_t index) {
    return std::to_string(index + 1) + "/" + std::to_string(inputs.size()) + "  ";
  };
  const auto on_outcome = [&](Outcome&& outcome) {
    if (outcome.recognition) {
      report.add(*outcome.recognition);
    } else {
      report.add_failure(inputs[outcome.index], outcome.error);
    }
    if (outcome.index + 1 < inputs.size()) {
      report.progress(place(outcome.index + 1) + inputs[outcome.index + 1]);
    }
  };
  const auto on_progress = [&](const Progress& progress) {
    report.progress(place(progress.index) + "view " + std::to_string(progress.views_done) + " of " +
                    std::to_string(progress.views) + "  " + inputs[progress.index]);
  };
  if (!inputs.empty()) report.progress(place(0) + inputs[0]);
  recognizer.classify_all(inputs, on_outcome, on_progress);
}

/// Throws OptionError or OutputError.
void check_outputs(const Arguments& a, const std::vector<std::string>& inputs) {
  FilesInUse files;
  files.reads(a.model, "model");
  for (const std::string& input : inputs) files.reads(input, "input");
  for (const std::string& name : a.videos) {
    if (name.starts_with('@')) files.reads(name.substr(1), "list of videos");
  }
  if (a.output_given) files.writes(a.output, "--output " + a.output);
  if (a.dump_given) files.writes(a.dump.path, "--save-tensors " + a.dump.path.string());
  files.writes_standard_output();
  if (a.dump_given) check_output_file(a.dump.path);
}

EarlierResults earlier_results(const Arguments& a, const std::string& run, std::vector<std::string>& inputs) {
  if (!a.resume) return {};
  EarlierResults earlier(a.output, run);
  if (earlier.torn()) say("warning: the last line of " + a.output + " has no end and is dropped.");
  const std::size_t done = earlier.take_from(inputs);
  say(std::to_string(done) + " of " + std::to_string(done + inputs.size()) + " inputs have results in " +
      a.output + " already.");
  return earlier;
}

int run(const Arguments& a) {
  Inputs expanded = a.tensor.empty() ? expand_inputs(a.videos, std::cin, a.inputs) : Inputs{{a.tensor}, {}};
  for (const std::string& warning : expanded.warnings) say("warning: " + warning);
  std::vector<std::string>& inputs = expanded.names;
  if (!a.dump.path.empty() && inputs.size() != 1) {
    throw OptionError("--save-tensors goes with a single input; there are " + std::to_string(inputs.size()) +
                      ".");
  }
  if (a.resume && (a.format != "json" || !a.dump.path.empty())) {
    throw OptionError("--resume goes with --format json, and not with --save-tensors.");
  }
  before_work([&] { check_outputs(a, inputs); });
  const auto [model, digest] = load_model(a.model);
  if (a.top_given && a.top > model.classes()) {
    throw OptionError("--top must be between 1 and " + std::to_string(model.classes()) +
                      ", as many classes as the model has, but is " + std::to_string(a.top) + ".");
  }
  RecognizerOptions options = recognizer_options(a.recognizer);
  Recognizer recognizer(model, options);
  options.clips = recognizer.clips();
  options.crops = recognizer.crops();
  const std::string run_id =
      a.format == "json" ? run_name(digest, options, {.top = a.top, .all_scores = a.scores}) : std::string();
  const EarlierResults earlier = earlier_results(a, run_id, inputs);
  std::optional<Report> report;
  before_work([&] { report.emplace(a, run_id, earlier, inputs.size()); });
  const AtInterrupt tell([&] { return report->so_far(); });
  if (inputs.empty()) return report->finish();
  if (a.tensor.empty() && a.dump.path.empty()) {
    classify_all(recognizer, inputs, *report);
  } else {
    classify_one(recognizer, a, inputs.front(), *report);
  }
  return report->finish();
}

}  // namespace
}  // namespace tpn::app

int main(int argc, char** argv) try {
  using namespace tpn::app;
  Arguments arguments;
  CLI::App app(description, "tpn_infer");
  app.footer(std::string(inputs_help) + common_exit_statuses + examples);
  app.set_version_flag("--version", "tpn_infer " TPN_VERSION);
  app.get_formatter()->column_width(34);
  declare_options(app, arguments);
  app.final_callback([&] {
    if (arguments.videos.empty() && arguments.tensor.empty()) {
      throw CLI::RequiredError("VIDEO (or --tensor)");
    }
  });
  return run_program(app, argc, argv, wrong_usage, [&] {
    arguments.top_given = app.count("--top") > 0;
    arguments.output_given = app.count("--output") > 0;
    arguments.dump_given = app.count("--save-tensors") > 0;
    return run(arguments);
  });
} catch (const std::exception& error) {
  return tpn::app::failed_to_start(error);
}
