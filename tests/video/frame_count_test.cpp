// Streams in which packets, announced frames and durations are not what can be shown: clips come from the
// frames that decoding gives, and warnings only where something is lost.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <iterator>
#include <mutex>
#include <thread>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/video/clip_loader.h"
#include "engine/video/quantity.h"
#include "engine/video/video_source.h"
#include "kernels/error.h"
#include "tests/support/temporary_directory.h"
#include "tests/video/numbered_frames.h"

namespace tpn {
namespace {

using test::counting;
using test::video_fixture;

struct Stream {
  std::string name;
  std::vector<int> numbers;  ///< that its frames show, as the ffmpeg command decodes them
  std::string warning;       ///< a part of the only one; empty where there is none
};

void PrintTo(const Stream& stream, std::ostream* out) {
  *out << stream.name;
}

/// One clip of 8 frames, `interval` apart, from the middle: what comes after it is not asked for.
SamplingConfig sampling_of(int interval, int clips) {
  SamplingConfig sampling;
  sampling.short_side = 48;
  sampling.crop_size = 48;
  sampling.frame_interval = interval;
  sampling.num_clips = clips;
  return sampling;
}

SamplingConfig segments() {
  SamplingConfig sampling = sampling_of(1, 8);
  sampling.clip_len = 1;
  sampling.twice_sample = true;
  return sampling;
}

class FrameCount : public testing::TestWithParam<Stream> {};

TEST_P(FrameCount, IsThatOfDecodingUnderEveryProtocol) {
  const Stream& stream = GetParam();
  for (const SamplingConfig& sampling : {sampling_of(2, 1), sampling_of(2, 10), segments()}) {
    const auto clips = load_clips(video_fixture(stream.name), sampling);
    ASSERT_EQ(clips->info.frames, static_cast<std::int64_t>(stream.numbers.size()));
    EXPECT_EQ(clips->plan.total_frames, clips->info.frames);
    for (std::size_t slot = 0; slot < clips->frames.size(); ++slot) {
      const auto index = static_cast<std::size_t>(clips->plan.selected[slot]);
      EXPECT_EQ(test::shown_number(image_of(clips->frames[slot]), clips->plan.resized), stream.numbers[index])
          << "frame " << index;
    }
    if (stream.warning.empty()) {
      EXPECT_EQ(clips->warnings, std::vector<std::string>{});
    } else {
      ASSERT_EQ(clips->warnings.size(), 1U);
      EXPECT_NE(clips->warnings[0].find(stream.name + ": "), std::string::npos) << clips->warnings[0];
      EXPECT_NE(clips->warnings[0].find(stream.warning), std::string::npos) << clips->warnings[0];
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, FrameCount,
    testing::Values(
        Stream{"late_key.mp4", counting(16, 32), "begins in the middle of a group of pictures"},
        Stream{"late_key.ts", counting(16, 32), "clips are taken from the 32 frames left"},
        Stream{"leading.mkv", counting(16, 32), ""},
        Stream{"late_damage.mp4", counting(0, 37), "11 of the 48 pieces of its data could not"},
        Stream{"truncated.avi", {0, 1, 2, 4}, "announces 1.9 seconds, but what it holds ends"},
        Stream{"two_videos.mp4", counting(0, 12), ""},  // the larger of two
        Stream{"copied.avi", counting(0, 48), ""},      // its header announces 96
        Stream{"long_sound.mkv", counting(0, 48), ""},  //
        Stream{"claims_more.avi", counting(0, 12), ""}, Stream{"vp8_altref.webm", counting(0, 40), ""},
        Stream{"vp9_altref.webm", counting(0, 40), ""}, Stream{"mpeg4_packed.avi", counting(0, 32), ""},
        Stream{"edit_list.mp4", counting(10, 38), ""}, Stream{"negative_start.mp4", counting(25, 23), ""},
        Stream{"vfr.mkv", counting(0, 30), ""},  //
        Stream{"raw.h264", counting(0, 48), ""}),
    [](const auto& instance) {
      std::string name = instance.param.name;
      std::replace(name.begin(), name.end(), '.', '_');
      return name;
    });

TEST(FrameCountOfSizes, LacksWhatWaitedWhenTheSizeChanged) {
  const auto clips = load_clips(video_fixture("new_size.mpg"), sampling_of(2, 10));
  std::vector<int> numbers = counting(0, 39);  // of 40
  for (int number = 0; number < 20; ++number) numbers.push_back(number);
  ASSERT_EQ(clips->info.frames, 59);
  for (std::size_t slot = 0; slot < clips->frames.size(); ++slot) {
    const auto index = static_cast<std::size_t>(clips->plan.selected[slot]);
    EXPECT_EQ(test::shown_number(image_of(clips->frames[slot]), clips->plan.resized), numbers[index]);
  }
  ASSERT_EQ(clips->warnings.size(), 1U);
  EXPECT_NE(clips->warnings[0].find("new_size.mpg: its frames change their size"), std::string::npos);
}

TEST(FrameCountOfOldFormats, EndWithoutAWarning) {
  const auto clips = load_clips(video_fixture("end.gxf"), sampling_of(2, 1));
  EXPECT_EQ(clips->info.frames, 12);
  EXPECT_EQ(clips->warnings, std::vector<std::string>{});
}

TEST(FrameCountOfFields, IsHalfThatOfThePackets) {
  const auto source = open_video(video_fixture("paff.mkv"));
  EXPECT_EQ(source->info().frames, 20);
  const auto clips = load_clips(video_fixture("paff.mkv"), sampling_of(1, 1));
  EXPECT_EQ(clips->info.frames, 10);
  EXPECT_EQ(clips->plan.frame_indices, (std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(clips->warnings, std::vector<std::string>{});
  DecodeOptions just_enough;
  just_enough.max_frames = 10;
  EXPECT_EQ(load_clips(video_fixture("paff.mkv"), sampling_of(1, 1), {}, just_enough)->info.frames, 10);
  just_enough.max_frames = 9;
  EXPECT_THROW(load_clips(video_fixture("paff.mkv"), sampling_of(1, 1), {}, just_enough), Error);
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(DisplayMatrixOfZeros, SaysNothing) {
  std::string bytes = bytes_of(video_fixture("h264_bframes.mp4"));
  const std::size_t header = bytes.find("tkhd");
  ASSERT_NE(header, std::string::npos);
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(header) + 44, 36, '\0');  // its nine numbers
  const test::TemporaryDirectory folder;
  const auto clips = load_clips(folder.write("zeros.mp4", bytes), sampling_of(2, 1));
  EXPECT_EQ(clips->info.size, (ImageSize{64, 48}));
  EXPECT_EQ(clips->warnings, std::vector<std::string>{});
}

/// The message of the Error that loading gives.
std::string refusal(const std::string& path, const DecodeOptions& options = {}) {
  try {
    (void)load_clips(path, SamplingConfig{}, {}, options);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Refusals, NameTheFileThatIsTooWide) {
  const std::string message = refusal(video_fixture("wide.avi"));
  EXPECT_NE(message.find("wide.avi: "), std::string::npos) << message;
  EXPECT_NE(message.find("1000x20"), std::string::npos) << message;
}

TEST(Refusals, TellHowLongAStreamWithoutADurationLasts) {
  DecodeOptions options;
  options.max_seconds = 1.5;
  const std::string message = refusal(video_fixture("raw.h264"), options);
  EXPECT_NE(message.find("raw.h264: it lasts 1.9 seconds, more than the limit of 1.5 seconds"),
            std::string::npos)
      << message;
  options.max_seconds = 2;
  EXPECT_EQ(open_video(video_fixture("raw.h264"), options)->info().seconds, 48 / 25.0);
  // Its size and its bit rate would tell another duration.
  EXPECT_EQ(open_video(video_fixture("raw.m1v"), options)->info().seconds, 24 / 25.0);
}

TEST(Refusals, OfPlaylistsTellWhatWouldOpenThem) {
  const test::TemporaryDirectory folder;
  for (const auto& [name, text] :
       {std::pair{"list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.92,\na.ts\n#EXT-X-ENDLIST\n"},
        std::pair{"list.ffconcat", "ffconcat version 1.0\nfile a.ts\n"},
        std::pair{"list.sdp",
                  "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
                  "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"}}) {
    const std::string message = refusal(folder.write(name, text));
    EXPECT_NE(message.find(std::string(name) + ": "), std::string::npos) << message;
    EXPECT_NE(message.find("--allow-urls"), std::string::npos) << message;
  }
  EXPECT_NE(refusal("https://localhost/a.mp4").find("--allow-urls"), std::string::npos);
}

/// A server of 127.0.0.1 that takes connections, says nothing, and after ten seconds hangs up.
class SilentServer {
 public:
  SilentServer() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* general = reinterpret_cast<sockaddr*>(&address);
    if (::bind(socket_, general, size) == 0 && ::listen(socket_, 8) == 0 &&
        ::getsockname(socket_, general, &size) == 0) {
      port_ = ntohs(address.sin_port);
    }
    patience_ = std::jthread([this](const std::stop_token& stopped) {
      std::mutex mutex;
      std::unique_lock lock(mutex);
      std::condition_variable_any().wait_for(lock, stopped, std::chrono::seconds(10), [] { return false; });
      ::shutdown(socket_, SHUT_RDWR);
    });
  }
  SilentServer(const SilentServer&) = delete;
  SilentServer& operator=(const SilentServer&) = delete;
  ~SilentServer() {
    patience_.request_stop();
    patience_.join();
    ::close(socket_);
  }

  /// 0 when it could not be started.
  [[nodiscard]] int port() const { return port_; }

 private:
  int socket_;
  int port_ = 0;
  std::jthread patience_;
};

TEST(Refusals, DoNotWaitForSilentServers) {
  const SilentServer server;
  if (server.port() == 0) GTEST_SKIP() << "There is no socket on 127.0.0.1.";
  DecodeOptions options;
  options.allow_urls = true;
  options.max_silence_seconds = 0.2;
  for (const char* scheme : {"http", "tcp", "rtsp"}) {
    const std::string url = std::string(scheme) + "://127.0.0.1:" + std::to_string(server.port()) + "/a.mp4";
    const std::string message = refusal(url, options);
    EXPECT_NE(message.find(url + ": "), std::string::npos) << message;
    if (std::string(scheme) == "rtsp") continue;  // FFmpeg does not pass on why
    EXPECT_NE(message.find("the server was silent for 0.2 seconds"), std::string::npos) << message;
  }
}

TEST(Quantities, HaveTheirUnits) {
  EXPECT_EQ(count_of(1, "frame"), "1 frame");
  EXPECT_EQ(count_of(0, "frame"), "0 frames");
  EXPECT_EQ(seconds_text(1), "1 second");
  EXPECT_EQ(seconds_text(21600), "21600 seconds");
  EXPECT_EQ(seconds_text(1.92), "1.9 seconds");
}

}  // namespace
}  // namespace tpn
