// tpn_convert: checkpoints to model files, back, and a look into either.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "apps/files_in_use.h"
#include "apps/program.h"
#include "engine/model/labels.h"
#include "engine/model/model_file.h"
#include "engine/model/output_file.h"
#include "engine/networks/initialize.h"
#include "weights_converter/convert.h"
#include "weights_converter/report.h"
#include "weights_converter/to_pth.h"

namespace {

using tpn::app::input_failed;
using tpn::app::print;
using tpn::app::success;

struct Arguments {
  std::vector<std::string> files;
  std::string inspect;
  bool to_pth = false;
  std::string random;
  bool from_scratch = false;
  std::string config;
  std::string labels;
  std::string weights;
  bool ignore_digest = false;
  std::string dtype = "f32";
  bool init_missing = false;
  std::uint64_t seed = 0;
};

/// The library's messages are whole sentences; this one line is all that goes to standard error.
int refuse(const std::string& sentence) {
  tpn::app::say(sentence);
  return input_failed;
}

/// Throws OptionError when the output is a file that is read, and OutputError when it cannot be written.
void check_output(const Arguments& arguments, const std::filesystem::path& in,
                  const std::filesystem::path& out) {
  tpn::app::FilesInUse files;
  if (!in.empty()) files.reads(in, "input");
  for (const std::string& configuration : {arguments.config, arguments.random}) {
    if (!configuration.empty()) files.reads(configuration, "configuration");
  }
  if (!arguments.labels.empty()) files.reads(arguments.labels, "list of labels");
  files.writes(out, "The output " + out.string());
  files.writes_standard_output();
  tpn::check_output_file(out);
}

/// Configuration and labels are options: what is wrong with them is wrong usage.
template <class Load>
auto load_option(const Load& load, const std::string& name) {
  try {
    return load(name);
  } catch (const tpn::Error& error) {
    throw tpn::OptionError(error.what());
  }
}

/// Nothing when the option was not given.
std::optional<std::vector<std::string>> labels_of(const Arguments& arguments) {
  if (arguments.labels.empty()) return std::nullopt;
  return load_option(tpn::load_labels, arguments.labels);
}

tpn::DType parse_dtype(const std::string& name) {
  for (const tpn::DType dtype : {tpn::DType::f32, tpn::DType::bf16, tpn::DType::f16}) {
    if (name == tpn::name_of(dtype)) return dtype;
  }
  throw tpn::OptionError("--dtype must be f32, bf16 or f16, but is " + name + ".");
}

int inspect(const Arguments& arguments) {
  const auto text = tpn::inspect_file(arguments.inspect, arguments.weights);
  if (!text) return refuse(text.failure().message);
  print(*text);
  return success;
}

int write_random(const Arguments& arguments, const std::filesystem::path& out) {
  check_output(arguments, {}, out);
  const tpn::Config config = load_option(tpn::load_config, arguments.random);
  const std::vector<std::string> labels = labels_of(arguments).value_or(std::vector<std::string>());
  if (!labels.empty() && labels.size() != static_cast<std::size_t>(config.head.num_classes)) {
    throw tpn::OptionError("The model has " + std::to_string(config.head.num_classes) + " classes, but " +
                           std::to_string(labels.size()) + " labels were given.");
  }
  using tpn::Initialization;
  tpn::write_random_model(config,
                          arguments.from_scratch ? Initialization::from_scratch : Initialization::varied,
                          arguments.seed, labels, out);
  print(out.string() + ": random weights of " + config.name + ", seed " + std::to_string(arguments.seed) +
        "\n");
  return success;
}

int export_model(const Arguments& arguments, const std::filesystem::path& in,
                 const std::filesystem::path& out) {
  check_output(arguments, in, out);
  try {
    static_cast<void>(tpn::open_model_file(in));
  } catch (const tpn::Error& error) {
    return refuse(error.what());
  }
  print(tpn::describe_export(tpn::export_pth(in, out), in, out));
  return success;
}

int convert(const Arguments& arguments, const std::filesystem::path& in, const std::filesystem::path& out) {
  check_output(arguments, in, out);
  tpn::ConvertOptions options;
  if (!arguments.config.empty()) options.config = load_option(tpn::load_config, arguments.config);
  options.labels = labels_of(arguments);
  options.weights = arguments.weights;
  options.ignore_digest = arguments.ignore_digest;
  options.dtype = parse_dtype(arguments.dtype);
  options.init_missing = arguments.init_missing;
  options.seed = arguments.seed;
  const auto report = tpn::convert_checkpoint(in, out, options);
  if (!report) return refuse(report.failure().message);
  print(tpn::describe_conversion(*report, in, out));
  return success;
}

int run(const Arguments& arguments) {
  const auto require_files = [&](std::size_t count, const std::string& what) {
    if (arguments.files.size() == count) return;
    throw tpn::OptionError("Expected " + what + ", but " + std::to_string(arguments.files.size()) +
                           " file names were given; --help explains.");
  };
  if (!arguments.inspect.empty()) {
    require_files(0, "no file beside --inspect FILE");
    return inspect(arguments);
  }
  if (!arguments.random.empty()) {
    require_files(1, "one file, OUT, with --random");
    return write_random(arguments, arguments.files[0]);
  }
  require_files(2, "two files, IN and OUT");
  if (arguments.to_pth) return export_model(arguments, arguments.files[0], arguments.files[1]);
  return convert(arguments, arguments.files[0], arguments.files[1]);
}

void declare(CLI::App& app, Arguments& arguments) {
  app.set_version_flag("--version", "tpn_convert " TPN_VERSION);
  app.add_option("files", arguments.files, "IN and OUT (with --random: OUT)")->type_name("IN OUT");
  auto* inspect =
      app.add_option("--inspect", arguments.inspect,
                     "Print what is in a checkpoint or model file: metadata, totals, tensors, and what a "
                     "model of its configuration lacks")
          ->type_name("FILE");
  auto* to_pth = app.add_flag("--to-pth", arguments.to_pth,
                              "Write the model file IN as a checkpoint OUT that PyTorch and mmaction2 load");
  auto* random = app.add_option("--random", arguments.random,
                                "Write a model of random weights: a built-in configuration, or FILE.json")
                     ->type_name("NAME");
  inspect->excludes(to_pth)->excludes(random);
  to_pth->excludes(random);
  app.add_option("--seed", arguments.seed, "Seed of --random and --init-missing")->capture_default_str();
  app.add_flag("--from-scratch", arguments.from_scratch,
               "With --random: the initialisation that training starts from, instead of one in which every "
               "parameter "
               "shows in the output")
      ->needs(random);
  app.add_option("--config", arguments.config,
                 "The architecture, instead of the detected one: a built-in configuration, or FILE.json")
      ->type_name("NAME|FILE.json");
  app.add_option(
         "--labels", arguments.labels,
         "Class names: kinetics400, something_something_v1 (mmaction2's order), "
         "something_something_v1_sorted, something_something_v2, none, or a file with one a line (or with "
         "numbers and names: text, CSV, JSON)")
      ->type_name("FILE|NAME");
  app.add_option(
         "--weights", arguments.weights,
         "Where in IN the weights are, if not where they usually are: state_dict_ema, or keys joined by / "
         "as in ema/module")
      ->type_name("KEY");
  app.add_flag("--ignore-digest", arguments.ignore_digest,
               "Accept a file whose SHA-256 is not the one that its name ends in");
  app.add_option("--dtype", arguments.dtype, "Element type of the weights in OUT: f32, bf16 or f16")
      ->capture_default_str()
      ->type_name("TYPE");
  app.add_flag("--init-missing", arguments.init_missing,
               "Initialise what IN lacks at random, for training: backbones alone, ResNets of torchvision");
  app.footer(
      "Reads checkpoints (.pth) of mmaction2 1.x and decisionforce/TPN without Python and without executing "
      "anything\n"
      "in them, and writes one safetensors file with weights, configuration and class names. Examples:\n"
      "  tpn_convert tpn-slowonly_r50_8xb8-8x8x1-150e_kinetics400-rgb_20220913-97d0835d.pth "
      "model.safetensors\n"
      "  tpn_convert --inspect model.safetensors\n"
      "  tpn_convert --to-pth model.safetensors back.pth\n"
      "  tpn_convert --random tpn-slowonly-r50-8x8 --seed 1 random.safetensors\n"
      "Exit status: 0 done; 1 the input was refused; 2 wrong usage;\n" +
      std::string(tpn::app::common_exit_statuses) +
      "\nA failure is one sentence on standard error and leaves no output behind; an output that is there is "
      "only\n"
      "replaced by a whole one.");
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("Converts Temporal Pyramid Network checkpoints to model files, and back.", "tpn_convert");
  Arguments arguments;
  declare(app, arguments);
  return tpn::app::run_program(app, argc, argv, tpn::app::system_failed, [&] { return run(arguments); });
} catch (const std::exception& error) {
  return tpn::app::failed_to_start(error);
}
