// Any bytes as a file of class names: refused with a sentence, or names that are different and not empty.
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "engine/model/label_file.h"
#include "kernels/error.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,  // NOLINT(readability-identifier-naming)
                                      std::size_t size) {
  using tpn::fuzz::require;
  try {
    const auto names = tpn::parse_label_file({reinterpret_cast<const char*>(data), size}, "input");
    require(!names.empty());
    std::set<std::string_view> distinct;
    for (const std::string& name : names) require(!name.empty() && distinct.insert(name).second);
  } catch (const tpn::Error& error) {
    require(std::string_view(error.what()).find("input") != std::string_view::npos);
  }
  return 0;
}
