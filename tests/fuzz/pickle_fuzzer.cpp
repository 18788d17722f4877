// Any bytes as a pickle: refused, or values that can be walked, whatever they hold and however they hold
// themselves.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tests/fuzz/pickle_input.h"
#include "tests/fuzz/require.h"
#include "weights_converter/pickle.h"

namespace {

using tpn::PickleValue;
using tpn::fuzz::require;

void add(std::vector<PickleValue>& values, const std::optional<PickleValue>& value) {
  if (value) values.push_back(*value);
}

/// Looks at values reachable from the root, each place anew, up to a number of them.
void walk(const PickleValue& root) {
  constexpr std::size_t max_visits = 2000;
  std::vector<PickleValue> values{root};
  for (std::size_t visit = 0; visit < max_visits && !values.empty(); ++visit) {
    const PickleValue value = values.back();
    values.pop_back();
    require(tpn::describe(value).size() < 300);
    const auto text = value.text();
    const auto bytes = value.bytes();
    require(!(text && bytes));
    static_cast<void>(value.find("state_dict"));
    for (std::size_t i = 0; i < value.size() && i < max_visits; ++i) values.push_back(value[i]);
    for (const auto& [key, item] : value.entries()) {
      values.push_back(key);
      values.push_back(item);
    }
    add(values, value.callable());
    add(values, value.arguments());
    add(values, value.state());
    add(values, value.persistent_id());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto stream = tpn::fuzz::pickle_of(std::as_bytes(std::span(data, size)));
  const auto pickle = tpn::Pickle::parse(stream);
  if (!pickle) {
    require(!pickle.failure().message.empty() && pickle.failure().message.size() < 1000);
    return 0;
  }
  require(pickle->size() > 0 && pickle->size() <= stream.size());
  walk(pickle->root());
  for (const PickleValue& value : pickle->persistent_values()) require(value.persistent_id().has_value());
  return 0;
}
