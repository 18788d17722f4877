// Numbers on a command line.
#pragma once

#include <cstdint>

#include <CLI/CLI.hpp>

namespace tpn::app {

/// For Option::transform(): whole decimal numbers in [least, most] and nothing else; the message tells the
/// range.
CLI::Validator whole_number(std::int64_t least, std::int64_t most);

/// The same for decimal numbers that may have a fraction.
CLI::Validator decimal_number(double least, double most);

}  // namespace tpn::app
