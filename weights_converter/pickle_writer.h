// Writes the few Python values that a checkpoint needs, in pickle protocol 2.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "kernels/tensor.h"

namespace tpn {

/// Appends the opcodes that build one value after another. Between mark() and the call that closes it stand
/// the elements (for set_items: keys and values in turn).
class PickleWriter {
 public:
  PickleWriter() : stream_("\x80\x02") {}

  void none() { stream_ += 'N'; }
  void boolean(bool value) { stream_ += value ? '\x88' : '\x89'; }
  void integer(std::int64_t value);
  void real(double value);
  void text(std::string_view value);
  /// A class or function, by module and name.
  void global(std::string_view module, std::string_view name);
  void empty_dictionary() { stream_ += '}'; }
  void empty_list() { stream_ += ']'; }
  void empty_tuple() { stream_ += ')'; }
  /// An empty collections.OrderedDict.
  void ordered_dictionary();
  /// A tensor that fills the storage of that key. 0-dimensional ones have one element.
  void tensor(std::string_view storage_key, DType dtype, const Shape& shape);

  void mark() { stream_ += '('; }
  void close_tuple() { stream_ += 't'; }
  void append_items() { stream_ += 'e'; }  ///< to the list below the mark
  void set_items() { stream_ += 'u'; }     ///< of the dictionary below the mark
  void call() { stream_ += 'R'; }          ///< the callable below with the tuple on top
  void build() { stream_ += 'b'; }         ///< sets the state on top on the object below

  /// Ends the stream and hands it out.
  std::string finish() { return std::move(stream_) + '.'; }

 private:
  void little_endian(std::uint64_t value, int bytes);

  std::string stream_;
};

}  // namespace tpn
