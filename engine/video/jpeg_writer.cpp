#include "engine/video/jpeg_writer.h"

#include <array>
#include <csetjmp>
#include <cstdio>  // jpeglib.h needs it
#include <cstdlib>
#include <span>
#include <string>

#include <jpeglib.h>

#include "kernels/error.h"

namespace tpn {
namespace {

/// Everything that libjpeg's callbacks touch. Trivial, so that a jump destroys nothing.
struct Writer {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  std::jmp_buf home{};
  std::array<char, JMSG_LENGTH_MAX> message{};
  ImageView image;
  int quality = 0;
  unsigned char* bytes = nullptr;  // by malloc, once there is an image
  unsigned long size = 0;

  [[noreturn]] static void fail(j_common_ptr info) {
    auto& writer = *static_cast<Writer*>(info->client_data);
    info->err->format_message(info, writer.message.data());
    std::longjmp(writer.home, 1);  // NOLINT(cert-err52-cpp): as libjpeg demands
  }

  /// False when libjpeg has jumped out of it.
  static bool run(Writer& writer) {
    if (setjmp(writer.home) != 0) return false;  // NOLINT(cert-err52-cpp): the only way that libjpeg has
    write(writer);
    return true;
  }

  static void write(Writer& writer) {
    jpeg_compress_struct& info = writer.info;
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &writer.bytes, &writer.size);
    info.image_width = static_cast<JDIMENSION>(writer.image.size.width);
    info.image_height = static_cast<JDIMENSION>(writer.image.size.height);
    info.input_components = 3;
    info.in_color_space = JCS_RGB;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, writer.quality, TRUE);
    jpeg_start_compress(&info, TRUE);
    while (info.next_scanline < info.image_height) {
      // libjpeg reads the row only.
      auto* row = const_cast<JSAMPROW>(writer.image.row(static_cast<int>(info.next_scanline)));
      jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
  }
};

}  // namespace

std::vector<std::byte> encode_jpeg(const ImageView& image, int quality) {
  Writer writer;
  writer.image = image;
  writer.quality = quality;
  writer.info.err = jpeg_std_error(&writer.errors);
  writer.info.client_data = &writer;
  writer.errors.error_exit = Writer::fail;
  const bool written = Writer::run(writer);
  const auto bytes = std::as_bytes(std::span(writer.bytes, written ? writer.size : 0));
  std::vector<std::byte> file(bytes.begin(), bytes.end());
  jpeg_destroy_compress(&writer.info);
  std::free(writer.bytes);  // NOLINT(cppcoreguidelines-*): it is of malloc
  if (!written)
    throw Error("An image cannot be written as JPEG: " + std::string(writer.message.data()) + ".");
  return file;
}

}  // namespace tpn
