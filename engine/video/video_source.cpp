#include "engine/video/video_source.h"

#include <filesystem>
#include <system_error>

#include "engine/video/image_folder.h"
#include "engine/video/video_file.h"
#include "kernels/error.h"

namespace tpn {

std::unique_ptr<VideoSource> open_video(const std::string& path, const DecodeOptions& options) {
  if (path.find("://") != std::string::npos) return std::make_unique<VideoFile>(path, options);
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) throw Error(path + ": there is no such file.");
  if (std::filesystem::is_directory(status)) return std::make_unique<ImageFolder>(path, options);
  if (!std::filesystem::is_regular_file(status)) throw Error(path + ": it is neither a file nor a folder.");
  if (std::filesystem::file_size(path, error) == 0) throw Error(path + ": the file is empty.");
  return std::make_unique<VideoFile>(path, options);
}

}  // namespace tpn
