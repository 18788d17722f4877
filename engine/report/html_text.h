// Pieces of HTML: text, numbers, images.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace tpn {

/// Any text, as content of an element or of an attribute in double quotes. Bytes that are not UTF-8 become
/// '?'.
std::string html(std::string_view text);

/// With so many digits behind the point; a dash where the value is not finite, as in the two below.
std::string fixed(double value, int digits);

/// To four digits, in the shorter of both notations: 0.01234, 2.5e-5.
std::string significant(double value);

/// Of a share, 0 to 1: "93.4 %", with a space at which no line ends.
std::string percent(double share);

/// An image file as the source of an img element. Throws Error naming `name` when it is neither PNG nor JPEG.
std::string image_source(std::span<const std::byte> file, const std::string& name);

}  // namespace tpn
