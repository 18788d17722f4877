// Writes the few Python values that checkpoints and results need, in pickle protocol 2, or 3 where there are
// bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "kernels/tensor.h"

namespace tpn {

/// Appends the opcodes that build one value after another. Between mark() and the call that closes it stand
/// the elements (for set_items: keys and values in turn).
class PickleWriter {
 public:
  enum class Protocol : char { two = 2, three = 3 };

  explicit PickleWriter(Protocol protocol = Protocol::two) : stream_{'\x80', static_cast<char>(protocol)} {}

  void none() { stream_ += 'N'; }
  void boolean(bool value) { stream_ += value ? '\x88' : '\x89'; }
  void integer(std::int64_t value);
  void real(double value);
  void text(std::string_view value);
  void bytes(std::span<const std::byte> value);  ///< protocol 3
  /// A class or function, by module and name.
  void global(std::string_view module, std::string_view name);
  void empty_dictionary() { stream_ += '}'; }
  void empty_list() { stream_ += ']'; }
  void empty_tuple() { stream_ += ')'; }
  /// An empty collections.OrderedDict.
  void ordered_dictionary();
  /// A tensor that fills the storage of that key. 0-dimensional ones have one element.
  void tensor(std::string_view storage_key, DType dtype, const Shape& shape);
  /// A tensor with these elements, in their place in the stream, as plain pickle.dump writes it (protocol 3).
  void tensor(DType dtype, const Shape& shape, std::span<const std::byte> elements);

  void mark() { stream_ += '('; }
  void close_tuple() { stream_ += 't'; }
  void append_items() { stream_ += 'e'; }  ///< to the list below the mark
  void set_items() { stream_ += 'u'; }     ///< of the dictionary below the mark
  void call() { stream_ += 'R'; }          ///< the callable below with the tuple on top
  void build() { stream_ += 'b'; }         ///< sets the state on top on the object below

  /// Hands out what there is so far, so that a long stream need not be in memory as a whole.
  [[nodiscard]] std::string take() { return std::exchange(stream_, {}); }
  /// Ends the stream and hands it out.
  std::string finish() { return std::move(stream_) + '.'; }

 private:
  void little_endian(std::uint64_t value, int bytes);
  enum class File { archive, legacy };
  void storage(std::string_view key, DType dtype, std::int64_t elements, File file);
  void begin_tensor();
  void end_tensor(const Shape& shape);

  std::string stream_;
};

}  // namespace tpn
