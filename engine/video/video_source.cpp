#include "engine/video/video_source.h"

#include <filesystem>
#include <system_error>

#include "engine/video/image_folder.h"
#include "engine/video/video_file.h"
#include "kernels/error.h"

namespace tpn {

VideoKind kind_of_video(const std::string& path) {
  if (path.find("://") != std::string::npos) return VideoKind::file;
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) throw Error(path + ": there is no such file.");
  if (std::filesystem::is_directory(status)) return VideoKind::folder;
  if (!std::filesystem::is_regular_file(status)) throw Error(path + ": it is neither a file nor a folder.");
  if (std::filesystem::file_size(path, error) == 0) throw Error(path + ": the file is empty.");
  return VideoKind::file;
}

std::unique_ptr<VideoSource> open_video(const std::string& path, const DecodeOptions& options) {
  if (kind_of_video(path) == VideoKind::folder) return std::make_unique<ImageFolder>(path, options);
  return std::make_unique<VideoFile>(path, options);
}

}  // namespace tpn
