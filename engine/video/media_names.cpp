#include "engine/video/media_names.h"

#include <algorithm>
#include <array>
#include <set>

#include "engine/video/ffmpeg.h"

namespace tpn {
namespace {

using Endings = std::set<std::string, std::less<>>;

void add_list(const char* list, Endings& endings) {
  std::string_view rest = list != nullptr ? list : "";
  while (!rest.empty()) {
    const std::string_view ending = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(ending.size() + 1, rest.size()));
    if (!ending.empty()) endings.insert(ending_of("." + std::string(ending)));
  }
}

/// Writers tell whether their format is for video; readers do not, but those of raw streams have the codec's
/// name.
Endings find_video_endings() {
  Endings endings;
  void* state = nullptr;
  while (const AVOutputFormat* format = av_muxer_iterate(&state)) {
    const bool is_video = format->video_codec != AV_CODEC_ID_NONE &&
                          format->video_codec != AV_CODEC_ID_PNG &&  // covers of sound
                          std::string_view(format->name) != "image2";
    if (is_video) add_list(format->extensions, endings);
  }
  state = nullptr;
  while (const AVInputFormat* format = av_demuxer_iterate(&state)) {
    const std::string_view name = format->name;
    const AVCodecDescriptor* codec = avcodec_descriptor_get_by_name(format->name);
    const bool is_raw = codec != nullptr && codec->type == AVMEDIA_TYPE_VIDEO;
    const bool is_known = name.starts_with("mov,") || name.starts_with("matroska,") || name == "av1" ||
                          name == "cavsvideo" || name == "dhav" || name == "ifv" || name == "ivr" ||
                          name == "kux" || name == "moflex" || name == "mods" || name == "mvi" ||
                          name == "mxg" || name == "ogg" || name == "ser" || name == "smjpeg" ||
                          name == "ty" || name == "vivo" || name == "xmv";
    if (is_raw || is_known) add_list(format->extensions, endings);
  }
  for (const char* usual :
       {"3g2", "3gpp", "amv", "apng", "asf", "bik", "bk2",  "dat", "divx", "dv",  "dvr-ms", "evo",
        "f4v", "flc",  "fli", "flv",  "gif", "gxf", "ivf",  "lrv", "m1v",  "m2p", "m2t",    "m2ts",
        "m2v", "m4v",  "mj2", "mjp",  "mod", "mpe", "mpg2", "mpv", "mts",  "mxf", "nsv",    "nuv",
        "ogm", "ogv",  "ogx", "ps",   "pva", "qt",  "rec",  "rm",  "rmvb", "roq", "smk",    "tod",
        "tp",  "trp",  "ts",  "vdr",  "vob", "vro", "webm", "wmv", "wtv",  "xvid"}) {
    endings.insert(usual);
  }
  // Of sound, subtitles, images, scripts, playlists, and pixels of which nobody knows the size.
  for (const char* no_video :
       {"aif",  "aifc", "aiff", "avif", "avs", "bmp", "cgi", "fits", "flac", "ico", "isma", "j2k", "jp2",
        "m3u8", "m4a",  "m4b",  "mka",  "mks", "mp3", "mpd", "mpo",  "ra",   "rgb", "webp", "wma", "yuv"}) {
    endings.erase(no_video);
  }
  std::erase_if(endings, has_image_ending);
  return endings;
}

}  // namespace

std::string ending_of(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return {};
  std::string ending(name.substr(dot + 1));
  for (char& c : ending) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return ending;
}

bool has_image_ending(std::string_view name) {
  static constexpr std::array<std::string_view, 7> endings{"jpg", "jpeg", "jpe", "jfif",
                                                           "png", "bmp",  "webp"};
  return std::ranges::find(endings, ending_of(name)) != endings.end();
}

bool has_video_ending(std::string_view name) {
  static const Endings endings = find_video_endings();
  return endings.contains(ending_of(name));
}

bool is_clutter(std::string_view name) {
  static constexpr std::array<std::string_view, 7> known{
      "__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "Thumbs.db", "desktop.ini", "lost+found"};
  return name.starts_with('.') || std::ranges::find(known, name) != known.end();
}

}  // namespace tpn
