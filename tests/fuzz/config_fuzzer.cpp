// Any bytes as a configuration: refused with a sentence, or written and read back to the same.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/model/config.h"
#include "kernels/error.h"

namespace {

template <class Parse>
void check(const Parse& parse) {
  tpn::Config config;
  try {
    config = parse();
  } catch (const tpn::Error&) {
    return;
  }
  if (!(tpn::parse_config(tpn::to_json(config)) == config)) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {  // NOLINT(readability-identifier-naming)
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check([&] { return tpn::parse_config(text); });
  check([&] { return tpn::parse_model_config(text, "name"); });
  return 0;
}
