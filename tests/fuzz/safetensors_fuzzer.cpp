// Any bytes as a safetensors file: refused, or every tensor readable within them.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "engine/model/safetensors.h"
#include "kernels/memory.h"

namespace {

void require(bool condition) {
  if (!condition) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,  // NOLINT(readability-identifier-naming)
                                      std::size_t size) {
  const tpn::HostBuffer copy(size);  // as aligned as a mapping
  if (size > 0) std::memcpy(copy.data(), data, size);
  const auto file = tpn::SafetensorsFile::parse({copy.data(), size}, "input");
  if (!file.ok()) {
    require(!file.failure().message.empty());
    return 0;
  }
  for (const auto& entry : file->entries()) {
    require(file->find(entry.name) == &entry);
    const tpn::ConstTensorView view = file->view(entry);
    require(view.bytes() == entry.bytes && entry.offset + entry.bytes <= size);
    require(std::memcmp(view.data, data + entry.offset, entry.bytes) ==
            0);  // the sanitizers watch the reading
    file->release(entry);
  }
  return 0;
}
