// Any bytes as the configuration text of a checkpoint: read as data, whatever they are.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/model/config.h"
#include "tests/fuzz/require.h"
#include "weights_converter/metadata_config.h"
#include "weights_converter/python_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,  // NOLINT(readability-identifier-naming)
                                      std::size_t size) {
  const auto assignments = tpn::parse_python_config({reinterpret_cast<const char*>(data), size});
  tpn::fuzz::require(assignments.is_object());
  for (const char* name : {"tpn-slowonly-r50-8x8-3level", "tpn-tsm-r50-1x1x8"}) {
    tpn::Config config = tpn::builtin_config(name);
    tpn::apply_assignments(assignments, config);
  }
  return 0;
}
