// What files are by the ends of their names.
#pragma once

#include <string>
#include <string_view>

namespace tpn {

/// What follows a name's last full stop, in lower case (letters A to Z only); empty for none and for names
/// that begin with their only one.
std::string ending_of(std::string_view name);

/// Endings of the images that can be frames.
bool has_image_ending(std::string_view name);

/// Endings of what FFmpeg reads and what holds video: those that its formats name, and those in common use
/// of the formats for which it names none. Not those of sound, images and texts.
bool has_video_ending(std::string_view name);

/// Names that archives and file managers leave behind, and hidden ones: no user means them.
bool is_clutter(std::string_view name);

}  // namespace tpn
