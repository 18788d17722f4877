// tpn_infer: classifies videos.
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "apps/input_list.h"
#include "apps/model_argument.h"
#include "apps/result_format.h"
#include "apps/terminal_line.h"
#include "engine/model/output_file.h"
#include "engine/recognize/tpn.h"
#include "engine/video/frame_pattern.h"
#include "engine/video/view_plan.h"
#include "kernels/error.h"

namespace tpn::app {
namespace {

constexpr const char* description =
    R"(Tells which action a video shows.

Give a model file (made by tpn_convert) or a checkpoint and videos; for each the most likely classes are printed.)";

constexpr const char* footer = R"(
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
clips, crops, top (label, index, score), timings (ms; the stages overlap), warnings if there are any; or
input and error.

Exit status: 0 all went well; 1 some input failed, the others were classified; 2 nothing was done because
the options, the model or the device cannot be used.

Examples:
  tpn_infer --model tpn-slowonly-r50-8x8.safetensors jump.mp4
  tpn_infer --model m.safetensors --views 1x1 --top 1 clips/
  find . -name '*.mp4' | tpn_infer --model m.safetensors --format json --output results.jsonl -
  tpn_infer --model m.safetensors jump.mp4 --save-tensors jump.safetensors --features
  tpn_infer --model m.safetensors --tensor jump.safetensors)";

struct Arguments {
  std::string model;
  std::vector<std::string> videos;
  std::string tensor;
  InputOptions inputs;
  std::string device = "auto";
  std::string precision = "f32";
  std::string libraries = "auto";
  std::string views;
  std::string format = "text";
  std::string output;
  int top = 5;
  bool scores = false;
  TensorDump dump;
  RecognizerOptions recognizer;
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
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->group("Results");
  app.add_option("--format", a.format, "text, or json: one object a line for each input")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json"}).description(""))
      ->capture_default_str()
      ->group("Results");
  app.add_flag("--scores", a.scores, "Print the scores of all classes too, by index")->group("Results");
  app.add_option("--output", a.output,
                 "Write the results to this file instead of standard output; it appears when all is done")
      ->type_name("FILE")
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

  app.add_option("--views", a.views,
                 "Views of a video, for example 1x1 or 10x3; default: the model's protocol")
      ->type_name("CLIPSxCROPS")
      ->group("Work");
  app.add_option("--device", a.device, "auto (a GPU if there is one that can be used), cpu or cuda")
      ->type_name("DEVICE")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}).description(""))
      ->capture_default_str()
      ->group("Work");
  app.add_option("--devices", a.recognizer.devices,
                 "With cuda, the numbers of the GPUs that share the work, for example 0,1")
      ->type_name("N,...")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->capture_default_str()
      ->group("Work");
  app.add_option("--precision", a.precision,
                 "f32, bf16, and on GPUs f16 and tf32 (f32 whose products are rounded)")
      ->type_name("TYPE")
      ->check(CLI::IsMember({"f32", "bf16", "f16", "tf32"}).description(""))
      ->capture_default_str()
      ->group("Work");
  app.add_option("--libraries", a.libraries,
                 "On GPUs: auto lets cuDNN and cuBLASLt compute layers where they are faster; none does not")
      ->type_name("WHICH")
      ->check(CLI::IsMember({"auto", "none"}).description(""))
      ->capture_default_str()
      ->group("Work");
  app.add_option("--threads", a.recognizer.threads, "Threads for the network; 0: all processors")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->group("Work");
  app.add_option("--batch", a.recognizer.batch,
                 "Views that go through the network at once; 0: one on a CPU, all of a video on a GPU")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->group("Work");

  app.add_flag(
         "--accurate-color", a.recognizer.accurate_color,
         "Convert colours the same way on every processor, with chroma interpolated; the default equals "
         "the decoders that the models were evaluated with")
      ->group("Videos");
  app.add_option_function<std::string>(
         "--frames",
         [&a](const std::string& pattern) {
           a.inputs.frames = a.recognizer.frames = FramePattern(pattern).text();
         },
         "What the frames in folders of images are called: 'img_%05d.jpg', 'img_{:05}.jpg' or 'img_*.jpg'; "
         "by default it is told from the names")
      ->type_name("PATTERN")
      ->group("Videos");
  app.add_flag("--null", a.inputs.null_separated,
               "Names in lists end with a NUL byte instead of a line's end, as find -print0 writes them")
      ->group("Videos");
  app.add_flag("--allow-urls", a.recognizer.allow_urls,
               "Open URLs, and files that refer to other files (playlists)")
      ->group("Videos");
  app.add_option("--max-pixels", a.recognizer.max_pixels, "Refuse videos with larger frames")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->group("Videos");
  app.add_option("--max-frames", a.recognizer.max_frames, "Refuse videos with more frames")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->group("Videos");
  app.add_option("--max-duration", a.recognizer.max_seconds, "Refuse videos that last longer")
      ->type_name("SECONDS")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->group("Videos");
}

RecognizerOptions recognizer_options(const Arguments& a) {
  RecognizerOptions options = a.recognizer;
  if (a.device != "auto") options.device = a.device == "cuda" ? Device::cuda : Device::cpu;
  options.precision = std::map<std::string, Precision>{
      {"f32", Precision::f32},
      {"bf16", Precision::bf16},
      {"f16", Precision::f16},
      {"tf32",
       Precision::tf32}}.at(a.precision);
  options.libraries = a.libraries == "none" ? Libraries::none : Libraries::automatic;
  if (!a.views.empty()) {
    const ViewCounts counts = parse_view_counts(a.views);
    options.clips = counts.clips;
    options.crops = counts.crops;
  }
  return options;
}

/// Where results go, and how many inputs failed.
class Report {
 public:
  explicit Report(const Arguments& a) : format_{a.format == "json", a.top, a.scores} {
    if (!a.output.empty()) file_.emplace(a.output);
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

  /// The exit status.
  int finish() {
    line_.clear();
    if (file_) file_->commit();
    return failures_ > 0 ? 1 : 0;
  }

  static void say(const std::string& sentence) { std::cerr << "tpn_infer: " << sentence << std::endl; }

 private:
  void write(const std::string& text) {
    if (file_) {
      file_->write(text);
    } else if (!(std::cout << text << std::flush)) {
      throw Error("Standard output cannot be written.");
    }
  }

  ResultFormat format_;
  std::optional<OutputFile> file_;
  TerminalLine line_;
  int failures_ = 0;
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

/// What is loaded stays mapped, so that no temporary file is needed afterwards.
Model load_model(const std::string& given) {
  const ModelArgument model(given, Report::say);
  return Model::load(model.path());
}

int run(const Arguments& a) {
  const Inputs expanded =
      a.tensor.empty() ? expand_inputs(a.videos, std::cin, a.inputs) : Inputs{{a.tensor}, {}};
  for (const std::string& warning : expanded.warnings) Report::say("warning: " + warning);
  const std::vector<std::string>& inputs = expanded.names;
  if (!a.dump.path.empty() && inputs.size() != 1) {
    throw Error("--save-tensors goes with a single input; there are " + std::to_string(inputs.size()) + ".");
  }
  Report report(a);
  Recognizer recognizer(load_model(a.model), recognizer_options(a));
  if (a.tensor.empty() && a.dump.path.empty()) {
    classify_all(recognizer, inputs, report);
  } else {
    classify_one(recognizer, a, inputs.front(), report);
  }
  return report.finish();
}

}  // namespace
}  // namespace tpn::app

int main(int argc, char** argv) try {
  tpn::app::Arguments arguments;
  CLI::App app(tpn::app::description, "tpn_infer");
  app.footer(tpn::app::footer);
  app.set_version_flag("--version", "tpn_infer " TPN_VERSION);
  app.get_formatter()->column_width(34);
  tpn::app::declare_options(app, arguments);
  try {
    app.parse(argc, argv);
    if (arguments.videos.empty() && arguments.tensor.empty()) {
      throw CLI::RequiredError("VIDEO (or --tensor)");
    }
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  return tpn::app::run(arguments);
} catch (const std::exception& e) {
  std::cerr << "tpn_infer: " << e.what() << std::endl;
  return 2;
}
