// Any bytes as a list of samples: refused with a sentence, or entries with paths and labels and an account of
// the rest.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/data/list_parser.h"
#include "engine/model/text.h"
#include "kernels/error.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,  // NOLINT(readability-identifier-naming)
                                      std::size_t size) {
  using tpn::fuzz::require;
  for (const bool raw_frames : {false, true}) {
    tpn::ListRules rules;
    rules.raw_frames = raw_frames;
    rules.is_there = [](const std::string& path) { return path.size() % 2 == 0; };
    try {
      const tpn::ParsedList list =
          tpn::parse_list({reinterpret_cast<const char*>(data), size}, "input", rules);
      require(!list.entries.empty());
      for (const tpn::ListEntry& entry : list.entries) {
        require(!entry.path.empty() && !entry.label.empty() && entry.frames >= 0);
        require(tpn::is_utf8(entry.label) && entry.origin.starts_with("input"));
      }
      for (const std::string& fault : list.faults)
        require(fault.starts_with("input") && fault.ends_with('.'));
    } catch (const tpn::Error& error) {
      require(std::string_view(error.what()).find("input") != std::string_view::npos);
    }
  }
  return 0;
}
