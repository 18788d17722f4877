// Any bytes as a table of kernels, as they are and with the sum that would fit them: refused, or read and
// written back to the same.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "kernels/selection_table.h"
#include "tests/fuzz/require.h"

namespace {

void check(std::string_view text) {
  const tpn::Result<tpn::SelectionTable> table = tpn::SelectionTable::parse(text);
  if (!table) {
    tpn::fuzz::require(!table.failure().message.empty());
    return;
  }
  const std::string written = table->text();
  const tpn::Result<tpn::SelectionTable> again = tpn::SelectionTable::parse(written);
  tpn::fuzz::require(again.ok() && again->size() == table->size() && again->text() == written);
}

/// The text with the last line that a table of its lines has, in place of its own.
std::string with_right_sum(std::string_view text) {
  const std::size_t end = text.rfind("end\t");
  const std::string_view body = text.substr(0, end);
  std::uint64_t sum = 14695981039346656037U;
  for (const char c : body) sum = (sum ^ static_cast<unsigned char>(c)) * 1099511628211U;
  std::string digits;
  do {
    digits.insert(digits.begin(), "0123456789abcdef"[sum % 16]);
    sum /= 16;
  } while (sum > 0);
  return std::string(body) + "end\t" + digits + "\n";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {  // NOLINT(readability-identifier-naming)
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check(text);
  check(with_right_sum(text));
  return 0;
}
