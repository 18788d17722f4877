// Any bytes as scores, an array of NumPy or a pickle: refused with a sentence, or a table whose rows are
// whole.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "engine/evaluation/numpy_dump.h"
#include "engine/evaluation/pickle_dump.h"
#include "kernels/error.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const bool is_array = size > 0 && data[0] == 0x93;
  try {
    const tpn::ScoreTable table =
        is_array ? tpn::parse_numpy_dump(bytes, "input") : tpn::parse_pickle_dump(bytes, "input");
    tpn::fuzz::require(!table.videos.empty());
    for (const tpn::EvaluatedVideo& video : table.videos) {
      tpn::fuzz::require(video.readable() != video.scores.empty());
    }
  } catch (const tpn::Error& error) {
    tpn::fuzz::require(std::string(error.what()).starts_with("input"));
  }
  return 0;
}
