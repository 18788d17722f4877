// Any pickle as a saved object whose storages all exist: refused, or tensors whose every element can be read.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tests/fuzz/pickle_input.h"
#include "tests/fuzz/require.h"
#include "weights_converter/state_dict.h"
#include "weights_converter/storage_id.h"

using tpn::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t storage_bytes = 4096;
  constexpr std::size_t max_bytes = std::size_t{1} << 18;
  const std::vector<std::byte> contents(storage_bytes);  // on the heap, so that reading past it shows
  const auto pickle = tpn::Pickle::parse(tpn::fuzz::pickle_of(std::as_bytes(std::span(data, size))));
  if (!pickle) return 0;
  tpn::StorageTable storages;
  for (const tpn::PickleValue& value : pickle->persistent_values()) {
    const auto id = tpn::parse_storage_id(value);
    if (id) storages.try_emplace(id->key, tpn::StorageBytes{contents, std::nullopt});
  }
  for (const char* wanted : {"state_dict_ema", "model/ema"}) {
    const auto chosen = tpn::read_state_dict(pickle->root(), storages, max_bytes, wanted);
    require(!chosen || chosen->found_under.starts_with(wanted));
  }
  const auto found = tpn::read_state_dict(pickle->root(), storages, max_bytes);
  if (!found) {
    require(!found.failure().message.empty() && found.failure().message.size() < 1000);
    return 0;
  }
  std::size_t total = 0;
  for (const tpn::StoredTensor& tensor : found->tensors) {
    std::size_t streamed = 0;
    tpn::stream_elements(tensor, [&](std::span<const std::byte> piece) {
      require(piece.size() % tpn::size_of(tensor.dtype) == 0);
      streamed += piece.size();
    });
    require(streamed == tensor.bytes());
    total += streamed;
  }
  require(!found->tensors.empty() && total <= max_bytes);
  return 0;
}
