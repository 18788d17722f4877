// The command line of tpn_finetune.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "engine/finetuning/recipe.h"

namespace tpn::app {

/// What was asked for.
struct FinetuneArguments {
  std::string work_dir, resumed_dir;
  std::string recipe_file;
  bool resume = false;
  bool dry_run = false;
  std::string feature_cache;  ///< a folder, or "none"; empty: in the cache folder
  /// What each option that was given sets, in their order.
  std::vector<std::function<void(Recipe&)>> settings;
  std::vector<std::string> given;  ///< the names of those options

  /// Defaults, the recipe file's fields over them, and the options' over those.
  [[nodiscard]] Recipe recipe() const;
  /// Where the run is, or is to be. Throws OptionError when that was not said, or in two ways.
  [[nodiscard]] std::string folder() const;
};

/// Declares all options; `arguments` must outlive the parsing.
void declare_options(CLI::App& app, FinetuneArguments& arguments);

}  // namespace tpn::app
