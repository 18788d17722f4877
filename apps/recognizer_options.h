// The options of programs that run a recogniser.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "engine/recognize/tpn.h"

namespace tpn::app {

/// What was asked for.
struct RecognizerArguments {
  std::string device = "auto";
  std::string precision = "f32";
  std::string libraries = "auto";
  std::string views;  ///< "CLIPSxCROPS"; empty: as the protocol has it
  RecognizerOptions options;
};

/// Declares --views, devices, precision, threads; `arguments` must outlive the parsing.
void declare_work_options(CLI::App& app, RecognizerArguments& arguments);
/// Declares how videos are decoded and which are refused.
void declare_video_options(CLI::App& app, RecognizerArguments& arguments);

/// Throws Error when --views is none.
RecognizerOptions recognizer_options(const RecognizerArguments& arguments);

}  // namespace tpn::app
