// tensorboard/compat/proto/event.proto and summary.proto have the fields; docs of TFRecord the framing.
#include "engine/report/event_file.h"

#include <array>
#include <bit>
#include <chrono>

#include <unistd.h>

#include "engine/report/crc32c.h"

namespace tpn {
namespace {

template <class Int>
void append_little_endian(std::string& bytes, Int value) {
  for (std::size_t i = 0; i < sizeof(Int); ++i) bytes += static_cast<char>(value >> (8 * i) & 0xffU);
}

/// A message of protocol buffers, field by field.
class Message {
 public:
  Message& integer(unsigned field, std::int64_t value) {
    return key(field, 0).varint(static_cast<std::uint64_t>(value));
  }
  Message& real(unsigned field, double value) {
    key(field, 1);
    append_little_endian(bytes_, std::bit_cast<std::uint64_t>(value));
    return *this;
  }
  Message& real(unsigned field, float value) {
    key(field, 5);
    append_little_endian(bytes_, std::bit_cast<std::uint32_t>(value));
    return *this;
  }
  /// A text, or a message within.
  Message& text(unsigned field, std::string_view value) {
    key(field, 2).varint(value.size());
    bytes_ += value;
    return *this;
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  Message& key(unsigned field, unsigned wire_type) { return varint(field << 3U | wire_type); }
  /// 7 bits a byte, the lowest first.
  Message& varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7U) bytes_ += static_cast<char>((value & 0x7fU) | 0x80U);
    bytes_ += static_cast<char>(value);
    return *this;
  }

  std::string bytes_;
};

namespace event {
constexpr unsigned wall_time = 1;
constexpr unsigned step = 2;
constexpr unsigned file_version = 3;
constexpr unsigned summary = 5;
constexpr unsigned session_log = 7;
}  // namespace event
namespace summary {
constexpr unsigned value = 1;
}  // namespace summary
namespace summary_value {
constexpr unsigned tag = 1;
constexpr unsigned simple_value = 2;
}  // namespace summary_value
namespace session_log {
constexpr unsigned status = 1;
constexpr int start = 1;
}  // namespace session_log

/// As TFRecord stores it, so that a checksum of data that holds checksums is none of them.
std::uint32_t masked_crc(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xa282ead8U;
}

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// TensorBoard looks for "tfevents" and reads the files of a folder in the order of their names.
std::filesystem::path new_event_file(const std::filesystem::path& folder) {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0 || host[0] == '\0') host = {"localhost"};
  const auto seconds = static_cast<std::int64_t>(seconds_since_1970());
  const std::string stem = "events.out.tfevents." + std::to_string(seconds) + '.' + host.data() + '.' +
                           std::to_string(::getpid()) + '.';
  int number = 0;
  while (std::filesystem::exists(folder / (stem + std::to_string(number)))) ++number;
  return folder / (stem + std::to_string(number));
}

}  // namespace

std::string encode_scalars(double wall_time, std::int64_t step, std::span<const EventScalar> scalars) {
  Message values;
  for (const EventScalar& scalar : scalars) {
    values.text(summary::value, Message()
                                    .text(summary_value::tag, scalar.tag)
                                    .real(summary_value::simple_value, scalar.value)
                                    .bytes());
  }
  return Message()
      .real(event::wall_time, wall_time)
      .integer(event::step, step)
      .text(event::summary, values.bytes())
      .bytes();
}

std::string frame_record(std::string_view data) {
  std::string record;
  append_little_endian(record, std::uint64_t{data.size()});
  append_little_endian(record, masked_crc(record));
  record += data;
  append_little_endian(record, masked_crc(data));
  return record;
}

EventFile::EventFile(const std::filesystem::path& folder, std::optional<std::int64_t> first_step)
    : file_(new_event_file(folder), AppendFile::Existing::refuse) {
  const double now = seconds_since_1970();
  file_.append(
      frame_record(Message().real(event::wall_time, now).text(event::file_version, "brain.Event:2").bytes()));
  if (!first_step) return;
  file_.append(frame_record(
      Message()
          .real(event::wall_time, now)
          .integer(event::step, *first_step)
          .text(event::session_log, Message().integer(session_log::status, session_log::start).bytes())
          .bytes()));
}

void EventFile::add(std::int64_t step, std::span<const EventScalar> scalars) {
  file_.append(frame_record(encode_scalars(seconds_since_1970(), step, scalars)));
}

}  // namespace tpn
