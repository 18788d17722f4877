#include "apps/finetune_options.h"

#include <algorithm>
#include <concepts>
#include <map>
#include <string_view>
#include <type_traits>

#include "apps/number.h"
#include "engine/finetuning/recipe_fields.h"
#include "kernels/error.h"

namespace tpn::app {
namespace {

struct Help {
  const char* group;
  const char* text;
};

/// For every field of a recipe.
const std::map<std::string_view, Help>& help_of_fields() {
  static const std::map<std::string_view, Help> help{
      {"model", {"Data", "Model to start from: a model file, or a checkpoint (.pth), which is converted"}},
      {"train", {"Data", "Clips to learn from: a list, or a folder with one folder a class"}},
      {"val", {"Data", "Clips to judge by, the same way"}},
      {"root", {"Data", "Where the relative paths of lists begin (default: the list's folder)"}},
      {"labels",
       {"Data",
        "File of class names, or a built-in list as tpn_convert has them (default: the data's, else the "
        "model's)"}},
      {"filename_template", {"Data", "What raw frames are called: 'img_{:05}.jpg'; lists then name folders"}},
      {"skip_bad", {"Data", "Go on without clips that cannot be used, and write them to skipped.txt"}},
      {"init",
       {"Training",
        "Weights to start with: model, its own; scratch, random ones; or FILE, a model or checkpoint, for "
        "all parameters that the model too has in that shape"}},
      {"freeze",
       {"Training",
        "How much is not learned: none, stem, 1 to 4 (up to that stage), backbone, neck (all but the "
        "classifier); auto: none for networks below 5 million parameters; of others neck below 1,000 "
        "clips, 3 below 10,000, else none"}},
      {"bn",
       {"Training", "Batch norms of what is learned: train (by the batch), or eval (as the model has them)"}},
      {"augment",
       {"Training",
        "reference (crops of 8 to 100 % of the area, flips, colours), light (50 to 100 %, flips), none; "
        "auto: light where only the classifier is learned, else reference"}},
      {"crop_area",
       {"Training",
        "The least that random crops have of a frame's area (default: reference 0.08, light 0.5; 0.4 where "
        "--augment is left to networks below 5 million parameters)"}},
      {"flip",
       {"Training",
        "Half of the clips are mirrored, where there is augmentation: auto, and classes whose names differ "
        "in left and right change places; keep, and all keep their class; 2:4,30:41, and these classes "
        "change places, counted from 0; off, none is"}},
      {"epochs",
       {"Training",
        "Times that each clip is seen; 0: as many as 1,000 updates take, but from 20 to 150 (networks below "
        "5 million parameters: 2,000, from 20 to 250)"}},
      {"batch", {"Training", "Clips that are computed at once, by each process"}},
      {"accumulate", {"Training", "Batches whose gradients are averaged for an update"}},
      {"sync_bn",
       {"Training", "Of several processes: batch norms by the clips of all, not by those of each"}},
      {"lr",
       {"Training",
        "Highest learning rate (default, for updates by 8 clips, all processes together: 0.01 for the "
        "classifier alone, 0.03 for networks below 5 million parameters, else 0.0025)"}},
      {"auto_scale_lr", {"Training", "--lr is meant for updates by 64 clips: scale it"}},
      {"schedule", {"Training", "How the rate falls: cosine (to 0), or multistep"}},
      {"warmup", {"Training", "Epochs in which it rises from a tenth"}},
      {"milestones",
       {"Training",
        "For multistep: epochs, from 0, on entering which it is multiplied by --gamma (default: after half "
        "and five sixths of them)"}},
      {"gamma", {"Training", "That factor"}},
      {"momentum", {"Training", "Nesterov's"}},
      {"weight_decay", {"Training", "Of all parameters that are learned"}},
      {"clip_grad", {"Training", "The most that the norm of all gradients may be; 0: anything"}},
      {"label_smoothing", {"Training", "Share of a label that is spread over all classes"}},
      {"dropout", {"Training", "Share of elements zeroed before classifiers (default: the model's)"}},
      {"class_weights",
       {"Training",
        "What losses count by their class: none; balanced, in inverse proportion to its clips; "
        "numbers, 1,2.5,... in the order of labels; or a file of them"}},
      {"balanced", {"Training", "Draw every class equally often"}},
      {"shuffle", {"Training", "on, or off: clips in the order of the list"}},
      {"ema",
       {"Training",
        "Decay per step of an average of the weights, which is then what is judged and kept; 0: none"}},
      {"val_protocol",
       {"Training",
        "How clips are judged: quick (one view of each), model (the model's own protocol), or as published, "
        "k400 (10x3 views) or sthv1 (2x3); as tpn_eval does"}},
      {"val_views",
       {"Training", "Views of a clip, CLIPSxCROPS, for example 3x1, in place of the protocol's"}},
      {"val_every", {"Training", "Judge after every N epochs; 0: so that there are about twenty judgements"}},
      {"early_stop", {"Training", "End after N judgements without a better accuracy; 0: never"}},
      {"keep", {"Training", "Keep the models of the last N epochs, beside the best"}},
      {"seed", {"Training", "Of all that is drawn"}},
      {"deterministic",
       {"Work",
        "The same bits with any --threads: convolutions have one thread each; on GPUs no kernel is "
        "chosen by its time"}},
      {"precision", {"Work", "f32, bf16, and on GPUs f16 and tf32; parameters are always kept in f32"}},
      {"device", {"Work", "auto (a GPU if there is one that can be used), cpu, cuda, or cuda:N"}},
      {"devices",
       {"Work", "GPUs of the processes on a machine, which mpirun starts, in order (default: 0, 1, ...)"}},
      {"ranks", {"Work", "How many processes mpirun must have started; 0: any number"}},
      {"threads", {"Work", "Threads for the network; 0: one for each processor"}},
      {"workers", {"Work", "Threads that decode; 0: one for each processor"}},
      {"cache_mb", {"Work", "Memory for decoded frames, megabytes"}},
  };
  return help;
}

std::string option_name(std::string_view field) {
  std::string name = "--" + std::string(field);
  std::ranges::replace(name, '_', '-');
  return name;
}

/// Declares the option of one field.
class Declaration {
 public:
  Declaration(CLI::App& app, FinetuneArguments& arguments, const Recipe& defaults)
      : app_(app), arguments_(arguments), defaults_(defaults) {}

  template <class Member>
  void operator()(const char* field, Member member, const FieldRange& range) const {
    using T = std::remove_cvref_t<decltype(defaults_.*member)>;
    const std::string name = option_name(field);
    const Help& help = help_of_fields().at(field);
    const auto set = [&arguments = arguments_, name, member](const T& value) {
      arguments.settings.push_back([member, value](Recipe& recipe) { recipe.*member = value; });
      arguments.given.push_back(name);
    };
    CLI::Option* option = nullptr;
    if constexpr (std::is_enum_v<T>) {
      option = app_.add_option_function<std::string>(
          name, [set](const std::string& text) { set(recipe_value<T>(text).value()); }, help.text);
      option->check(CLI::IsMember(names_of<T>()).description(""))->type_name("WHICH");
      option->default_str(recipe_name(defaults_.*member));
    } else if constexpr (std::same_as<T, bool>) {
      option = declare_switch(name, help, defaults_.*member, set);
    } else if constexpr (std::same_as<T, std::string>) {
      option = app_.add_option_function<std::string>(name, set, help.text);
      option->type_name("TEXT");
      if (!(defaults_.*member).empty()) option->default_str(defaults_.*member);
    } else if constexpr (std::same_as<T, std::vector<int>>) {
      option = app_.add_option_function<std::vector<int>>(name, set, help.text);
      option->delimiter(',')->allow_extra_args(false)->type_name("N,...");
      option->transform(
          whole_number(static_cast<std::int64_t>(range.least), static_cast<std::int64_t>(range.most)));
    } else {
      option = app_.add_option_function<T>(name, set, help.text);
      option->type_name(std::integral<T> ? "N" : "X");
      option->transform(std::integral<T> ? whole_number(static_cast<std::int64_t>(range.least),
                                                        static_cast<std::int64_t>(range.most))
                                         : decimal_number(range.least, range.most));
      if (defaults_.*member >= T{0}) option->default_str(CLI::detail::to_string(defaults_.*member));
    }
    option->group(help.group);
  }

 private:
  /// A flag, or what is on by default as on and off.
  CLI::Option* declare_switch(const std::string& name, const Help& help, bool on,
                              const std::function<void(bool)>& set) const {
    if (!on) {
      const auto given = [set](std::int64_t) { set(true); };
      return app_.add_flag_function(name, given, help.text);
    }
    CLI::Option* option = app_.add_option_function<std::string>(
        name, [set](const std::string& text) { set(text == "on"); }, help.text);
    return option->check(CLI::IsMember({"on", "off"}).description(""))
        ->type_name("on|off")
        ->default_str("on");
  }

  CLI::App& app_;
  FinetuneArguments& arguments_;
  const Recipe& defaults_;
};

}  // namespace

Recipe FinetuneArguments::recipe() const {
  Recipe recipe = recipe_file.empty() ? Recipe{} : load_recipe(recipe_file);
  for (const auto& set : settings) set(recipe);
  return recipe;
}

std::string FinetuneArguments::folder() const {
  if (work_dir.empty() && resumed_dir.empty()) throw OptionError("--work-dir is missing. (--help explains.)");
  if (!work_dir.empty() && !resumed_dir.empty() && work_dir != resumed_dir) {
    throw OptionError(
        "A run goes on in its own folder: leave out --work-dir, or give it as --work-dir alone.");
  }
  return work_dir.empty() ? resumed_dir : work_dir;
}

void declare_options(CLI::App& app, FinetuneArguments& a) {
  app.add_option("--work-dir", a.work_dir, "Folder for all that comes of it; made if it is missing")
      ->type_name("DIR");
  app.add_option_function<std::vector<std::string>>(
         "--resume",
         [&a](const std::vector<std::string>& folder) {
           a.resume = true;
           a.resumed_dir = folder.front();
         },
         "Go on with the run in DIR (default: in --work-dir), which was ended at any moment")
      ->type_name("[DIR]")
      ->expected(0, 1);
  app.add_flag("--dry-run", a.dry_run, "Check the data and show what would be done");
  app.add_option("--recipe", a.recipe_file,
                 "Take everything from a recipe.json, as runs write it; other options go before it")
      ->type_name("FILE")
      ->check(CLI::ExistingFile.description(""));
  static const Recipe defaults;
  visit_recipe_fields(Declaration(app, a, defaults));
  app.add_option(
         "--feature-cache", a.feature_cache,
         "Where features are kept when only the classifier is learned: a folder, or none (default: in the "
         "cache folder)")
      ->type_name("DIR")
      ->group("Work");
}

}  // namespace tpn::app
