// A video as a sequence of RGB frames, numbered from 0 in presentation order: a file, or a folder of images.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "kernels/preprocess/image.h"

namespace tpn {

struct DecodeOptions {
  /// Threads inside the decoder. One costs the least processor time; more give the first frames sooner.
  int threads = 1;
  /// Colour conversion that is the same on every processor, with chroma interpolated. The default is
  /// swscale's own (bicubic), whose numbers equal the reference decoders' on the same machine.
  bool accurate_color = false;
  /// Allows names like https://..., and files that refer to others (playlists).
  bool allow_urls = false;
  /// What the frames in folders of images are called (FramePattern); empty: see choose_frames().
  std::string frames = {};
  /// With a `frames` that has a number: that of a video's first frame, from which none may be missing.
  /// Negative: the lowest that is there.
  std::int64_t first_frame = -1;
  std::int64_t frame_count = 0;  ///< frames that are a video's in a folder; fewer are an error; 0: all
  std::int64_t max_pixels = std::int64_t{8192} * 8192;    ///< of a frame; larger ones are refused
  std::int64_t max_frames = std::int64_t{6} * 3600 * 60;  ///< of a video: six hours at 60 frames a second
  double max_seconds = 6 * 3600;                          ///< of a video, as VideoInfo has them
  double max_silence_seconds = 30;                        ///< of a server; reading ends then
};

struct VideoInfo {
  ImageSize size;           ///< of the frames as handed out, rotated where the metadata says so
  std::int64_t frames = 0;  ///< to be expected from the data's division; reading tells how many there are
  double frames_per_second = 0;  ///< average; 0 where unknown
  double seconds = 0;            ///< as the container states, else frames through rate; 0 where unknown
  std::string codec;             ///< FFmpeg's name: "h264"
};

/// How reading went. `frames` is the number of frames there really are: when it is not VideoInfo::frames, the
/// indices that were asked for were drawn from a wrong total.
struct DecodeReport {
  std::int64_t frames = 0;
  std::int64_t damaged_packets = 0;   ///< pieces of data that the decoder refused
  std::vector<std::string> warnings;  ///< whole sentences that name the file
  double decode_ms = 0;               ///< wall clock
  double convert_ms = 0;              ///< to RGB, of the frames handed out
};

/// Objects are used by one thread at a time; different objects by different threads at once.
class VideoSource {
 public:
  /// Receives frame `indices[position]`; the pixels are valid during the call only.
  using Receiver = std::function<void(std::size_t position, const ImageView& frame)>;

  VideoSource() = default;
  VideoSource(const VideoSource&) = delete;
  VideoSource& operator=(const VideoSource&) = delete;
  virtual ~VideoSource() = default;

  [[nodiscard]] virtual const VideoInfo& info() const = 0;

  /// Decodes from the start and hands over the frames of the given numbers (ascending, without repetition),
  /// all of info().size, as soon as each is there, then goes on to the end: how many frames there are is only
  /// known when they have been decoded. Ends with the frame at hand when it is asked to stop; then the report
  /// means nothing. May be called again. Throws Error when the file cannot be read any more or exceeds a
  /// limit, and what `receive` throws.
  virtual DecodeReport read(std::span<const std::int64_t> indices, const Receiver& receive,
                            const std::stop_token& stop) = 0;
  DecodeReport read(std::span<const std::int64_t> indices, const Receiver& receive) {
    return read(indices, receive, {});
  }
};

enum class VideoKind { file, folder };  ///< also what URLs name is a file

/// Throws Error, naming it, when there is nothing that a video could be.
VideoKind kind_of_video(const std::string& path);

/// Opens a file, a folder of images (jpg, jpeg, png, bmp, webp; those that choose_frames() takes for its
/// frames), or where allowed a URL. Counts the frames and decodes the first. Throws Error, naming the file,
/// when it cannot be read, holds no video, has no frame that can be decoded, or exceeds a limit.
std::unique_ptr<VideoSource> open_video(const std::string& path, const DecodeOptions& options = {});

}  // namespace tpn
