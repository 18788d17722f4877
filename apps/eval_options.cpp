#include "apps/eval_options.h"

#include <limits>

#include "apps/number.h"
#include "engine/evaluation/protocol.h"

namespace tpn::app {
namespace {

constexpr int most_pixels = 4096;  // of a side

void declare_data_options(CLI::App& app, EvalArguments& a) {
  app.add_option("--list", a.list, "Videos and their classes: a list, or a folder with one folder a class")
      ->type_name("LIST")
      ->group("Data");
  app.add_option("--root", a.root, "Where the relative paths of the list begin (default: the list's folder)")
      ->type_name("DIR")
      ->group("Data");
  app.add_option(
         "--labels", a.labels,
         "Names of the model's classes: a file, or a built-in list as tpn_convert has them (default: the "
         "model's)")
      ->type_name("NAMES")
      ->group("Data");
  CLI::Option* pattern =
      app.add_option("--filename-template", a.filename_template,
                     "What raw frames are called: 'img_{:05}.jpg'; the list then names folders")
          ->type_name("PATTERN")
          ->group("Data");
  app.add_option("--start-index", a.start_index, "Number of a folder's first frame")
      ->type_name("N")
      ->transform(whole_number(0, std::numeric_limits<std::int32_t>::max()))
      ->capture_default_str()
      ->needs(pattern)
      ->group("Data");
  app.add_option(
         "--shard", a.shard,
         "Only part i of n of the list, i from 1, to be merged with the others later; auto: the task of a "
         "Slurm array, or the rank of an Open MPI job")
      ->type_name("i/n|auto")
      ->capture_default_str()
      ->group("Data");
}

void declare_protocol_options(CLI::App& app, EvalArguments& a) {
  app.add_option(
         "--protocol", a.protocol,
         "model (its own), k400 (10x3 views) or sthv1 (8 segments, 2x3 views); the options below go before "
         "it")
      ->type_name("NAME")
      ->check(CLI::IsMember(protocol_names()).description(""))
      ->capture_default_str()
      ->group("Protocol");
  app.add_option("--short-side", a.recognizer.options.short_side, "Frames are resized to this short side")
      ->type_name("PIXELS")
      ->transform(whole_number(1, most_pixels))
      ->group("Protocol");
  app.add_option("--crop-size", a.recognizer.options.crop_size, "Side of the square crops")
      ->type_name("PIXELS")
      ->transform(whole_number(1, most_pixels))
      ->group("Protocol");
  app.add_option("--average", a.average, "Of a video's views: prob (probabilities) or score (logits)")
      ->type_name("WHAT")
      ->check(CLI::IsMember({"prob", "score"}).description(""))
      ->group("Protocol");
}

void declare_result_options(CLI::App& app, EvalArguments& a) {
  app.add_option("--format", a.format, "text, or json: one object with everything")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json"}).description(""))
      ->capture_default_str()
      ->group("Results");
  app.add_option("--html", a.html, "Write a page for browsers, which needs nothing else")
      ->type_name("FILE")
      ->group("Results");
  CLI::Option* dump =
      app.add_option("--dump", a.dumps,
                     "Write the scores of every video, by the end of the name: .jsonl (lines of JSON, each "
                     "as soon as it is there), .csv, .npy, .pkl (as mmaction2's tools/test.py --dump); may "
                     "be repeated")
          ->type_name("FILE")
          ->allow_extra_args(false)
          ->group("Results");
  app.add_option("--dump-format", a.dump_format, "jsonl, csv, npy or pkl, whatever the name")
      ->type_name("FORM")
      ->check(CLI::IsMember({"jsonl", "csv", "npy", "pkl"}).description(""))
      ->needs(dump)
      ->group("Results");
  app.add_flag("--resume", a.resume, "Go on with a --dump in lines of JSON that was not finished")
      ->needs(dump)
      ->group("Results");
  CLI::Option* compare =
      app.add_option(
             "--compare", a.compare,
             "Compare with an earlier dump of any form, or with mmaction2's; without paths in it, both have "
             "the list's order")
          ->type_name("FILE")
          ->group("Results");
  app.add_option("--compare-format", a.compare_format, "jsonl, csv, npy or pkl, whatever the name")
      ->type_name("FORM")
      ->check(CLI::IsMember({"jsonl", "csv", "npy", "pkl"}).description(""))
      ->needs(compare)
      ->group("Results");
}

}  // namespace

void declare_options(CLI::App& app, EvalArguments& a) {
  app.add_option(
         "--model", a.model,
         "Model file (safetensors), or a checkpoint (.pth), which is converted once and kept in the cache")
      ->type_name("FILE");
  app.add_option("--merge", a.merge,
                 "Instead of judging a model, put together the dumps (lines of JSON) of all parts of a list")
      ->type_name("FILE...");
  declare_data_options(app, a);
  declare_protocol_options(app, a);
  declare_result_options(app, a);
  declare_work_options(app, a.recognizer);
  declare_video_options(app, a.recognizer);
}

}  // namespace tpn::app
