#include "engine/video/image_folder.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "engine/video/frame_converter.h"
#include "engine/video/image_series.h"
#include "kernels/error.h"
#include "kernels/stopwatch.h"

namespace tpn {
namespace {

/// How many warnings of a kind are given one by one.
constexpr std::int64_t most_warnings = 5;

}  // namespace

ImageFolder::ImageFolder(const std::filesystem::path& folder, const DecodeOptions& options)
    : name_(folder.string()), options_(options), decoder_(options.max_pixels) {
  std::optional<FramePattern> pattern;
  if (!options.frames.empty()) pattern.emplace(options.frames);
  FrameNames chosen = find_frames(folder, pattern);
  const bool from_number = pattern && pattern->has_number() && options.first_frame >= 0;
  if (options.frame_count > 0 || from_number) {
    // Without a first number a count begins with the lowest that is there.
    chosen.names = counted_frames(folder, std::move(chosen.names), from_number ? pattern : std::nullopt,
                                  options.first_frame, options.frame_count);
  }
  if (static_cast<std::int64_t>(chosen.names.size()) > options.max_frames) {
    throw Error(name_ + ": it has more frames than the limit of " + std::to_string(options.max_frames) + ".");
  }
  for (const std::string& name : chosen.names) frames_.push_back({folder / name});
  warnings_ = std::move(chosen.warnings);
  info_.codec = "images";
  examine([this](const std::filesystem::path& path) { return decoder_.check(path); });
  const auto size_of_first = [this] {
    const Result<DecodedImage> image = decoder_.decode(frames_.front().path);
    if (!image) return false;
    info_.size = turned_size(*image->frame, image->orientation);
    return true;
  };
  if (size_of_first()) return;
  examine([this](const std::filesystem::path& path) { return decoder_.decode(path); });
  if (!size_of_first()) throw Error(name_ + ": none of its images can be decoded.");
}

void ImageFolder::note_damage(Frame& frame, const std::string& damage) {
  if (frame.damaged) return;
  frame.damaged = true;
  if (++damaged_ > most_warnings) return;
  warnings_.push_back(frame.path.string() +
                      ": the image is damaged and was used as far as it could be decoded (" + damage + ").");
}

namespace {

std::string damage_of(const std::string& damage) {
  return damage;
}
std::string damage_of(const DecodedImage& image) {
  return image.damage;
}

}  // namespace

template <class Look>
void ImageFolder::examine(const Look& look) {
  std::string first_reason;
  std::erase_if(frames_, [&](Frame& frame) {
    const auto seen = look(frame.path);
    if (seen) {
      if (const std::string& damage = damage_of(*seen); !damage.empty()) note_damage(frame, damage);
      return false;
    }
    if (first_reason.empty()) first_reason = seen.failure().message;
    if (++lost_ <= most_warnings) {
      warnings_.push_back(frame.path.string() + ": the image cannot be decoded and was left out (" +
                          seen.failure().message + ").");
    }
    return true;
  });
  if (frames_.empty()) throw Error(name_ + ": none of its images can be decoded (" + first_reason + ").");
  info_.frames = static_cast<std::int64_t>(frames_.size());
}

DecodeReport ImageFolder::read(std::span<const std::int64_t> indices, const Receiver& receive,
                               const std::stop_token& stop) {
  const Stopwatch whole;
  DecodeReport report;
  double outside_ms = 0;
  FrameConverter converter(info_.size, options_.accurate_color);
  bool lost = false;
  for (std::size_t position = 0; position < indices.size() && !lost; ++position) {
    if (indices[position] >= info_.frames || stop.stop_requested()) break;
    Frame& frame = frames_[static_cast<std::size_t>(indices[position])];
    const Result<DecodedImage> image = decoder_.decode(frame.path);
    if (!image) {
      lost = true;
      continue;
    }
    if (!image->damage.empty()) note_damage(frame, image->damage);
    const Stopwatch converting;
    const ImageView picture = converter.convert(*image->frame, image->orientation);
    report.convert_ms += converting.ms();
    const Stopwatch outside;
    receive(position, picture);
    outside_ms += outside.ms();
  }
  if (lost) examine([this](const std::filesystem::path& path) { return decoder_.decode(path); });
  report.warnings = warnings_;
  const auto count_rest = [&](std::int64_t count, const char* what) {
    if (count <= most_warnings) return;
    report.warnings.push_back(name_ + ": " + std::to_string(count) + " of its images " + what + ".");
  };
  count_rest(lost_, "cannot be decoded and were left out; the first are named");
  count_rest(damaged_, "are damaged and were used as far as they could be decoded; the first are named");
  report.damaged_packets = lost_ + damaged_;
  report.frames = info_.frames;
  report.decode_ms = whole.ms() - outside_ms - report.convert_ms;
  if (converter.rescaled()) {
    report.warnings.push_back(name_ + ": its images differ in size; all were scaled to that of the first.");
  }
  return report;
}

}  // namespace tpn
