#include "weights_converter/sha256.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <memory>

#include <openssl/evp.h>

#include "engine/model/text.h"
#include "kernels/error.h"
#include "kernels/memory.h"
#include "weights_converter/pieces.h"

namespace tpn {
namespace {

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new()) {
    check(context_ ? EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) : 0);
  }

  void update(std::span<const std::byte> bytes) {
    check(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()));
  }

  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned length = 0;
    check(EVP_DigestFinal_ex(context_.get(), digest.data(), &length));
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (unsigned i = 0; i < length; ++i) {
      text += digits[digest.at(i) >> 4];
      text += digits[digest.at(i) & 15];
    }
    return text;
  }

 private:
  static void check(int status) {
    if (status != 1) throw Error("SHA-256 is not available in the installed OpenSSL.");
  }

  std::unique_ptr<EVP_MD_CTX, FreeContext> context_;
};

bool is_lower_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f');
}

constexpr std::size_t date_length = 8;

/// "_" and eight digits that name a day of 2000 to 2099.
bool ends_with_date(std::string_view text) {
  if (text.size() <= date_length || text[text.size() - date_length - 1] != '_') return false;
  const std::string_view digits = text.substr(text.size() - date_length);
  if (!std::ranges::all_of(digits, is_digit)) return false;
  const int month = (digits[4] - '0') * 10 + (digits[5] - '0');
  const int day = (digits[6] - '0') * 10 + (digits[7] - '0');
  return digits.substr(0, 2) == "20" && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

}  // namespace

std::string sha256_hex(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

std::string sha256_hex(const std::filesystem::path& path) {
  // Read rather than mapped: page faults of two threads would wait for each other, and a checkpoint is hashed
  // while another thread goes through its mapping.
  std::ifstream file(path, std::ios::binary);
  Sha256 hash;
  const HostBuffer buffer(piece_bytes);
  while (file) {
    file.read(reinterpret_cast<char*>(buffer.data()), static_cast<std::streamsize>(piece_bytes));
    hash.update({buffer.data(), static_cast<std::size_t>(file.gcount())});
  }
  if (!file.eof()) throw Error(path.string() + " cannot be read.");
  return hash.hex();
}

NameDigest check_name_digest(const std::filesystem::path& path, std::string_view digest) {
  constexpr std::size_t length = 8;
  const std::string stem = path.stem().string();
  if (stem.size() < length + 1 || stem[stem.size() - length - 1] != '-') return NameDigest::absent;
  const std::string_view suffix = std::string_view(stem).substr(stem.size() - length);
  if (!std::all_of(suffix.begin(), suffix.end(), is_lower_hex)) return NameDigest::absent;
  if (suffix == digest.substr(0, length)) return NameDigest::matches;
  const std::string_view before = std::string_view(stem).substr(0, stem.size() - length - 1);
  return path.extension() == ".pth" && ends_with_date(before) ? NameDigest::differs : NameDigest::absent;
}

}  // namespace tpn
