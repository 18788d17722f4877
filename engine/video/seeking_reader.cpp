#include "engine/video/seeking_reader.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/video/frame_converter.h"
#include "engine/video/video_description.h"
#include "kernels/error.h"

namespace tpn {
namespace {

bool states_times(const AVFormatContext& format) {
  const std::string_view name = format.iformat->name;
  return name.starts_with("mov,") || name.starts_with("matroska,");
}

/// The time by which the container's index finds a key frame.
std::int64_t index_time(const AVFormatContext& format, const PacketMark& key) {
  const bool by_decoding = std::string_view(format.iformat->name).starts_with("mov,");
  return by_decoding && key.dts != PacketMark::no_time ? key.dts : key.pts;
}

std::optional<FrameIndex> index_packets(const std::string& path, const DecodeOptions& options,
                                        const StreamChoice& stream) {
  FramePass pass(path, options, stream);
  const bool may_be_fields =
      pass.stream().codecpar->field_order > AV_FIELD_PROGRESSIVE;  // two packets a frame
  if (!states_times(pass.format()) || may_be_fields) return std::nullopt;
  std::vector<PacketMark> packets;
  while (const std::optional<PacketMark> mark = pass.skip_packet()) packets.push_back(*mark);
  return FrameIndex::make(packets);
}

std::int64_t count_frames(const std::string& path, const DecodeOptions& options, const StreamChoice& stream) {
  FramePass pass(path, options, stream);
  pass.stop_refining();
  while (pass.next_frame() != nullptr) {
  }
  return pass.frames();
}

}  // namespace

static_assert(PacketMark::no_time == AV_NOPTS_VALUE);

SeekingReader::SeekingReader(std::string path, const DecodeOptions& options)
    : path_(std::move(path)), options_(options) {
  const ffmpeg::LogCapture log;
  {
    FramePass pass(path_, options_);
    info_ = describe_video(pass, path_, options_, log);
    stream_ = pass.choice();
  }
  index_ = index_packets(path_, options_, stream_);
  set_frames(index_ ? index_->frames() : count_frames(path_, options_, stream_), path_, options_, info_);
}

std::size_t SeekingReader::bytes() const {
  return sizeof(*this) + path_.capacity() + (index_ ? index_->bytes() : 0);
}

/// One call of read(). Frames that were handed out stay so when it begins anew.
class SeekingReader::Reading {
 public:
  Reading(const SeekingReader& video, std::span<const std::int64_t> indices, const Receiver& receive)
      : video_(video),
        indices_(indices),
        receive_(receive),
        converter_(video.info_.size, video.options_.accurate_color) {}

  /// Seeks, and leaves out what no wanted frame needs. False when a frame does not come out: where pictures
  /// are refreshed part by part, decoders want more than what follows a key.
  bool seek_frames() {
    FramePass pass(video_.path_, video_.options_, video_.stream_);
    pass.decode_only([this](std::int64_t pts) {
      const std::optional<std::int64_t> frame = video_.index_->frame_at(pts);
      return frame && std::ranges::binary_search(indices_, *frame);
    });
    std::int64_t passed_over = 0;  // packets of the file that the pass did not read, so far
    while (position_ < indices_.size()) {
      const FrameIndex::Key& key = video_.index_->key_of(indices_[position_]);
      if (key.packet > passed_over + pass.packets()) {
        const std::int64_t read = pass.packets();
        const std::optional<PacketMark> next = pass.seek(index_time(pass.format(), key.mark));
        if (!next || next->pts != key.mark.pts) return false;
        passed_over = key.packet - read;
      }
      const AVFrame* frame = find_wanted(pass);
      if (pass.damaged_packets() > 0 || pass.damaged_frames() > 0) refuse_damage();
      if (frame == nullptr) return false;
      hand_out(*frame, pass);
    }
    return true;
  }

  /// From the start. Throws Error when a frame does not come out.
  void decode_all() {
    FramePass pass(video_.path_, video_.options_, video_.stream_);
    while (position_ < indices_.size()) {
      const AVFrame* frame = find_wanted(pass);
      if (frame == nullptr || pass.is_damaged()) refuse_damage();
      hand_out(*frame, pass);
    }
  }

 private:
  /// Decodes on to the wanted frame; nullptr where it does not come.
  const AVFrame* find_wanted(FramePass& pass) const {
    while (const AVFrame* frame = pass.next_frame()) {
      const std::optional<std::int64_t> number =
          video_.index_ ? video_.index_->frame_at(frame->pts) : std::optional(pass.frames() - 1);
      if (!number || *number > indices_[position_]) return nullptr;
      if (*number == indices_[position_]) return frame;
    }
    return nullptr;
  }

  void hand_out(const AVFrame& frame, const FramePass& pass) {
    receive_(position_, converter_.convert(frame, pass.orientation(), video_.path_));
    ++position_;
  }

  [[noreturn]] void refuse_damage() const {
    throw Error(video_.path_ + ": frame " + std::to_string(indices_[position_]) +
                " cannot be decoded, or what it is made from is damaged" + in_parentheses(log_.message()) +
                ".");
  }

  const SeekingReader& video_;
  std::span<const std::int64_t> indices_;
  const Receiver& receive_;
  ffmpeg::LogCapture log_;
  FrameConverter converter_;
  std::size_t position_ = 0;  // of the frame that is wanted next
};

void SeekingReader::read(std::span<const std::int64_t> indices, const Receiver& receive) const {
  Reading reading(*this, indices, receive);
  if (!index_ || !reading.seek_frames()) reading.decode_all();
}

}  // namespace tpn
