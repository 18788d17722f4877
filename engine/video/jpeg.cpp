#include "engine/video/jpeg.h"

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdint>
#include <cstdio>  // jpeglib.h needs it
#include <string_view>

#include <jerror.h>
#include <jpeglib.h>

#include "engine/model/text.h"
#include "engine/video/exif.h"

namespace tpn {

/// Everything that libjpeg's callbacks touch. Trivial, so that a jump destroys nothing.
struct JpegDecoder::State {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf home{};
  std::array<char, JMSG_LENGTH_MAX> message{};  // of the error, or else of the first warning about pixels
  std::span<const std::byte> bytes;
  MutableImageView out;

  static State& of(j_common_ptr info) { return *static_cast<State*>(info->client_data); }

  // Jumps are from C code and from these functions, whose frames hold nothing to destroy.
  [[noreturn]] static void fail(j_common_ptr info) {
    State& state = of(info);
    info->err->format_message(info, state.message.data());
    std::longjmp(state.home, 1);  // NOLINT(cert-err52-cpp): as libjpeg demands
  }
  static void note(j_common_ptr info, int level) {
    State& state = of(info);
    if (level >= 0 || state.message[0] != '\0' || !costs_pixels(*info->err)) return;
    info->err->format_message(info, state.message.data());
  }
  static void say_nothing(j_common_ptr /*info*/) {}

  /// Every scan of a progressive image goes over all of it, and a small file has room for very many.
  static void limit_scans(j_common_ptr info) {
    constexpr int most_scans = 1000;
    State& state = of(info);
    if (state.info.input_scan_number <= most_scans) return;
    constexpr std::string_view reason = "it has more than 1000 scans";
    static_assert(reason.size() < std::tuple_size_v<decltype(state.message)>);
    std::ranges::copy(reason, state.message.data());
    state.message[reason.size()] = '\0';
    std::longjmp(state.home, 1);  // NOLINT(cert-err52-cpp): as libjpeg demands
  }

  static bool costs_pixels(const jpeg_error_mgr& errors) {
    constexpr int stray_bytes = 16;  // as many and fewer are left before markers by some cameras
    switch (errors.msg_code) {
      case JWRN_ADOBE_XFORM:
      case JWRN_BOGUS_ICC:
      case JWRN_JFIF_MAJOR:
      case JWRN_NOT_SEQUENTIAL:
        return false;
      case JWRN_EXTRANEOUS_DATA:
        return errors.msg_parm.i[0] > stray_bytes;
      default:
        return true;
    }
  }

  /// Runs a step; false when libjpeg has jumped out of it.
  static bool run(State& state, void (*step)(State&)) {
    if (setjmp(state.home) != 0) return false;  // NOLINT(cert-err52-cpp): the only way that libjpeg has
    step(state);
    return true;
  }

  static void create(State& state) {
    jpeg_create_decompress(&state.info);  // keeps err and client_data
    state.info.progress = &state.progress;
  }
  static void read_header(State& state) {
    jpeg_mem_src(&state.info, reinterpret_cast<const unsigned char*>(state.bytes.data()),
                 static_cast<unsigned long>(state.bytes.size()));
    jpeg_save_markers(&state.info, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(&state.info, TRUE);
  }
  static void start(State& state) {
    state.info.out_color_space = state.info.num_components == 4 ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(&state.info);
  }
  /// Starting reads all of an image with several scans.
  static void start_if_cheap(State& state) {
    if (jpeg_has_multiple_scans(&state.info) == 0) start(state);
  }
  static void read_rows(State& state) {
    jpeg_decompress_struct& info = state.info;
    start(state);
    const auto common = reinterpret_cast<j_common_ptr>(&info);
    JSAMPARRAY inks = nullptr;
    if (info.out_color_space == JCS_CMYK) {
      inks = info.mem->alloc_sarray(common, JPOOL_IMAGE, info.output_width * 4, 1);
    }
    while (info.output_scanline < info.output_height) {
      JSAMPROW row = state.out.row(static_cast<int>(info.output_scanline));
      jpeg_read_scanlines(&info, inks != nullptr ? inks : &row, 1);
      if (inks != nullptr) convert_row(inks[0], row, info.output_width);
    }
  }
  static void finish(State& state) { jpeg_finish_decompress(&state.info); }

  /// Inks as Adobe writes them, inverted, to RGB, rounded as in OpenCV.
  static void convert_row(const JSAMPLE* from, JSAMPLE* to, JDIMENSION width) {
    for (JDIMENSION x = 0; x < width; ++x, from += 4, to += 3) {
      const int black = from[3];
      for (int ink = 0; ink < 3; ++ink) {
        to[ink] = static_cast<JSAMPLE>(black - ((255 - from[ink]) * black >> 8));
      }
    }
  }
};

JpegDecoder::JpegDecoder() : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.info.err = jpeg_std_error(&state.errors);
  state.info.client_data = &state;
  state.errors.error_exit = State::fail;
  state.errors.emit_message = State::note;
  state.errors.output_message = State::say_nothing;
  state.progress.progress_monitor = State::limit_scans;
}

JpegDecoder::~JpegDecoder() {
  jpeg_destroy_decompress(&state_->info);
}

Result<JpegHeader> JpegDecoder::open(std::span<const std::byte> bytes) {
  State& state = *state_;
  // Begins from nothing: tables would be kept from the last image, for one that lacks its own.
  jpeg_destroy_decompress(&state.info);
  state.message[0] = '\0';
  state.bytes = bytes;
  if (!State::run(state, State::create) || !State::run(state, State::read_header)) {
    return Failure{state.message.data()};
  }
  JpegHeader header;
  header.size = {static_cast<int>(state.info.image_width), static_cast<int>(state.info.image_height)};
  for (const jpeg_marker_struct* marker = state.info.marker_list; marker != nullptr; marker = marker->next) {
    const auto data = std::as_bytes(std::span(marker->data, marker->data_length));
    header.orientation = exif_orientation(data);
    if (header.orientation != Orientation{}) break;
  }
  return header;
}

Result<std::string> JpegDecoder::check() {
  State& state = *state_;
  // In a scan's data no FF is followed by D9 but in the marker at its end.
  const std::span<const std::byte> rest = state.bytes.last(state.info.src->bytes_in_buffer);
  if (!State::run(state, State::start_if_cheap)) return Failure{state.message.data()};
  if (as_text(rest).rfind("\xff\xd9") == std::string_view::npos) return std::string("its end is missing");
  return std::string();
}

Result<std::string> JpegDecoder::decode(const MutableImageView& out) {
  State& state = *state_;
  state.out = out;
  if (!State::run(state, State::read_rows)) return Failure{state.message.data()};
  // What is behind the last row is of no importance.
  if (state.message[0] == '\0') State::run(state, State::finish);
  return std::string(state.message.data());
}

}  // namespace tpn
