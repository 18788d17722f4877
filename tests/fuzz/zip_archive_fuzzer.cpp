// Any bytes as a zip archive: refused, or entries that lie within the bytes without sharing any.
#include <cstddef>
#include <cstdint>
#include <span>

#include "tests/fuzz/require.h"
#include "weights_converter/zip_archive.h"

using tpn::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto archive = tpn::ZipArchive::parse(std::as_bytes(std::span(data, size)));
  if (!archive) {
    require(!archive.failure().message.empty() && archive.failure().message.size() < 1000);
    return 0;
  }
  std::size_t total = 0;
  for (const tpn::ZipEntry& entry : archive->entries()) {
    require(archive->find(entry.name) == &entry);
    static_cast<void>(tpn::crc32_of(entry.data));  // the sanitizers watch the reading
    total += entry.data.size();
  }
  require(total <= size);
  return 0;
}
