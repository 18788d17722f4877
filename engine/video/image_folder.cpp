#include "engine/video/image_folder.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>
#include <system_error>
#include <utility>

#include "engine/video/frame_converter.h"
#include "engine/video/frame_pass.h"
#include "engine/video/natural_order.h"
#include "engine/video/stopwatch.h"
#include "kernels/error.h"

namespace tpn {
namespace {

bool is_image(const std::filesystem::path& path) {
  static constexpr std::array<std::string_view, 5> extensions{".jpg", ".jpeg", ".png", ".bmp", ".webp"};
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::find(extensions.begin(), extensions.end(), extension) != extensions.end();
}

std::vector<std::filesystem::path> images_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> images;
  std::error_code error;
  std::filesystem::directory_iterator entries(folder, error);
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    if (is_image(entries->path()) && entries->is_regular_file(error)) images.push_back(entries->path());
  }
  if (error) throw Error(folder.string() + ": the folder cannot be read (" + error.message() + ").");
  std::sort(images.begin(), images.end(), [](const auto& a, const auto& b) {
    return natural_less(a.filename().string(), b.filename().string());
  });
  return images;
}

}  // namespace

template <class Use>
void ImageFolder::decode(const std::filesystem::path& image, const Use& use) const {
  const ffmpeg::LogCapture log;
  FramePass pass(image.string(), options_);
  const AVFrame* frame = pass.next_frame();
  if (frame == nullptr || pass.damaged_packets() > 0 || pass.damaged_frames() > 0) {
    throw Error(image.string() + ": the image cannot be decoded" +
                (log.message().empty() ? "." : " (" + log.message() + ")."));
  }
  use(*frame, pass.orientation());
}

ImageFolder::ImageFolder(const std::filesystem::path& folder, const DecodeOptions& options)
    : name_(folder.string()), options_(options), images_(images_in(folder)) {
  if (images_.empty()) throw Error(name_ + ": the folder holds no images (jpg, jpeg, png, bmp, webp).");
  if (static_cast<std::int64_t>(images_.size()) > options.max_frames) {
    throw Error(name_ + ": it has more frames than the limit of " + std::to_string(options.max_frames) + ".");
  }
  info_.codec = "images";
  info_.frames = static_cast<std::int64_t>(images_.size());
  for (const auto& image : images_) {
    try {
      decode(image, [this](const AVFrame& frame, const Orientation& orientation) {
        info_.size = turned_size(frame, orientation);
      });
      return;
    } catch (const Error&) {
      if (image == images_.back()) throw Error(name_ + ": none of its images can be decoded.");
    }
  }
}

std::vector<std::string> ImageFolder::drop_damaged() {
  std::vector<std::string> warnings;
  std::erase_if(images_, [&](const std::filesystem::path& image) {
    try {
      decode(image, [](const AVFrame&, const Orientation&) {});
      return false;
    } catch (const Error& error) {
      warnings.emplace_back(error.what());
      return true;
    }
  });
  if (images_.empty()) throw Error(name_ + ": none of its images can be decoded.");
  info_.frames = static_cast<std::int64_t>(images_.size());
  return warnings;
}

DecodeReport ImageFolder::read(std::span<const std::int64_t> indices, const Receiver& receive) {
  const Stopwatch whole;
  DecodeReport report;
  double outside_ms = 0;
  FrameConverter converter(info_.size, options_.accurate_color);
  bool damaged = false;
  for (std::size_t position = 0; position < indices.size() && !damaged; ++position) {
    if (indices[position] >= info_.frames) break;
    const std::filesystem::path& image = images_[static_cast<std::size_t>(indices[position])];
    ImageView picture;
    try {
      decode(image, [&](const AVFrame& frame, const Orientation& orientation) {
        const Stopwatch converting;
        picture = converter.convert(frame, orientation);
        report.convert_ms += converting.ms();
      });
    } catch (const Error&) {
      damaged = true;
      continue;
    }
    const Stopwatch outside;
    receive(position, picture);
    outside_ms += outside.ms();
  }
  if (damaged) report.warnings = drop_damaged();
  report.damaged_packets = static_cast<std::int64_t>(report.warnings.size());
  report.frames = info_.frames;
  report.decode_ms = whole.ms() - outside_ms - report.convert_ms;
  if (converter.rescaled()) {
    report.warnings.push_back(name_ + ": its images differ in size; all were scaled to that of the first.");
  }
  return report;
}

}  // namespace tpn
