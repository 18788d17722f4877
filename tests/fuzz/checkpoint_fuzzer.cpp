// Any bytes as a checkpoint: refused, or tensors whose every element can be read.
#include <cstddef>
#include <cstdint>
#include <span>

#include "tests/fuzz/require.h"
#include "weights_converter/checkpoint.h"

using tpn::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t max_tensor_bytes = std::size_t{1} << 20;  // larger ones would only cost time
  const auto checkpoint = tpn::Checkpoint::parse(std::as_bytes(std::span(data, size)));
  if (!checkpoint) {
    require(!checkpoint.failure().message.empty() && checkpoint.failure().message.size() < 1000);
    return 0;
  }
  require(!checkpoint->tensors().empty());
  static_cast<void>(checkpoint->meta());
  for (const tpn::StoredTensor& tensor : checkpoint->tensors()) {
    if (tensor.bytes() > max_tensor_bytes) continue;
    std::size_t streamed = 0;
    checkpoint->read(tensor, [&](std::span<const std::byte> piece) { streamed += piece.size(); });
    require(streamed == tensor.bytes());
  }
  return 0;
}
