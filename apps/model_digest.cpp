#include "apps/model_digest.h"

#include <fstream>
#include <string_view>

#include "kernels/digest.h"
#include "kernels/error.h"

namespace tpn::app {

/// The beginning, with the names and shapes, and a little of every quarter of a megabyte: training changes
/// all weights.
std::string model_digest(const std::filesystem::path& path) {
  Digest digest;
  constexpr std::streamoff beginning = 1 << 18, step = 1 << 18, sample = 64;
  std::ifstream file(path, std::ios::binary);
  std::string bytes(beginning, '\0');
  for (std::streamoff at = 0;; at += step) {
    file.clear();
    file.seekg(at);
    file.read(bytes.data(), at == 0 ? beginning : sample);
    if (file.gcount() == 0) break;
    digest.add(std::string_view(bytes).substr(0, static_cast<std::size_t>(file.gcount())));
  }
  std::error_code error;
  digest.add(std::to_string(std::filesystem::file_size(path, error)));
  if (error) throw Error(path.string() + " cannot be read: " + error.message() + ".");
  return digest.text();
}

}  // namespace tpn::app
