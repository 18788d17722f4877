// The command line of tpn_eval.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "apps/recognizer_options.h"

namespace tpn::app {

/// What was asked for.
struct EvalArguments {
  std::string model;
  std::string list;
  std::string root;
  std::string labels;
  std::string filename_template;
  std::int64_t start_index = 1;
  std::string protocol = "model";
  std::string average;  ///< "prob" or "score"; empty: as the protocol has it
  std::string shard = "1/1";
  std::vector<std::string> merge;
  std::vector<std::string> dumps;
  std::string dump_format;  ///< empty: by the end of each name
  std::string compare;
  std::string compare_format;
  std::string format = "text";
  std::string html;
  bool resume = false;
  RecognizerArguments recognizer;
};

/// Declares all options; `arguments` must outlive the parsing.
void declare_options(CLI::App& app, EvalArguments& arguments);

}  // namespace tpn::app
