// SHA-256 of files, and the check that OpenMMLab's file names allow.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace tpn {

/// 64 lower-case hexadecimal digits.
std::string sha256_hex(std::span<const std::byte> bytes);

/// The same of a file, read in pieces. Throws Error, naming the file, when it cannot be read.
std::string sha256_hex(const std::filesystem::path& path);

enum class NameDigest { matches, differs, absent };

/// Released files end in a date and the first 8 hexadecimal digits of their SHA-256:
/// "tpn-..._20220913-97d0835d.pth". Compares them with `digest` (as from sha256_hex). `absent`: the name does
/// not end so. Digits without a date may be anything, and count only when they match.
NameDigest check_name_digest(const std::filesystem::path& path, std::string_view digest);

}  // namespace tpn
