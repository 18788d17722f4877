// Reads a Python pickle, protocols 2 to 5, as data. Nothing is imported and nothing is called: classes,
// functions and calls become nodes that say what was named, and with which arguments.
//
// Nodes refer to each other by number. Values nested 200,000 deep, values that hold themselves and values
// shared exponentially often therefore cost memory linear in the stream, and nothing here recurses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weights_converter/failure.h"

namespace tpn {

enum class PickleKind : std::uint8_t {
  none,
  boolean,
  integer,      ///< fits 64 bits
  big_integer,  ///< does not
  real,
  text,
  bytes,
  list,
  tuple,
  set,
  dictionary,
  global,      ///< a class or function, by module and name
  object,      ///< the result of a call: callable, arguments, and what was added to it afterwards
  persistent,  ///< something kept outside the pickle, by its identification: torch's storages
};

/// What a stream may ask for, far above what checkpoints hold (a ResNet-101 TPN with optimizer: 30,000
/// nodes). At these limits the nodes occupy about 100 MB.
struct PickleLimits {
  std::size_t bytes = std::size_t{1} << 30;     ///< of the stream
  std::size_t nodes = std::size_t{1} << 20;     ///< values, each once however often it is shared
  std::size_t elements = std::size_t{1} << 22;  ///< places in all containers together
  std::size_t stack = std::size_t{1} << 20;     ///< values on the stack; marks; slots of the memo
};

class PickleValue;

/// A parsed pickle. Text and bytes stay in the stream, which must outlive it.
class Pickle {
 public:
  struct Nodes;

  /// Reads one pickle from the start of `stream`. Fails with `truncated` when the stream ends early, `limit`,
  /// or `bad_pickle`.
  static CheckpointResult<Pickle> parse(std::span<const std::byte> stream, const PickleLimits& limits = {});

  Pickle(Pickle&&) noexcept;
  Pickle& operator=(Pickle&&) noexcept;
  ~Pickle();

  [[nodiscard]] PickleValue root() const;
  /// Bytes of the stream up to and including STOP.
  [[nodiscard]] std::size_t size() const;
  /// Every persistent value in the stream, wherever it is used, in stream order.
  [[nodiscard]] std::vector<PickleValue> persistent_values() const;

 private:
  explicit Pickle(std::unique_ptr<const Nodes> nodes);
  std::unique_ptr<const Nodes> nodes_;
};

/// A value of a Pickle, which must outlive it. Cheap to copy. Values can hold themselves: whoever walks them
/// keeps count.
class PickleValue {
 public:
  PickleValue(const Pickle::Nodes& nodes, std::uint32_t id) : nodes_(&nodes), id_(id) {}

  [[nodiscard]] PickleKind kind() const;

  // Each is absent when the value is of another kind.
  [[nodiscard]] std::optional<bool> boolean() const;
  [[nodiscard]] std::optional<std::int64_t> integer() const;
  [[nodiscard]] std::optional<double> real() const;
  /// UTF-8; lone surrogates may occur, as Python writes them.
  [[nodiscard]] std::optional<std::string_view> text() const;
  [[nodiscard]] std::optional<std::span<const std::byte>> bytes() const;
  /// The little-endian two's complement.
  [[nodiscard]] std::optional<std::span<const std::byte>> big_integer() const;

  /// Elements of a list, tuple or set; 0 for other kinds.
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] PickleValue operator[](std::size_t index) const;

  /// True for a dict, and for an object of a dict class: OrderedDict, defaultdict, or any class given items
  /// by key.
  [[nodiscard]] bool is_dictionary() const;
  /// Keys and values in stream order (a key may repeat; the last counts); empty when it is no dictionary.
  [[nodiscard]] std::vector<std::pair<PickleValue, PickleValue>> entries() const;
  /// The value of a text key; absent when there is none, or this is no dictionary.
  [[nodiscard]] std::optional<PickleValue> find(std::string_view key) const;

  /// "module.name" of a global, or of the global that an object was made by; otherwise empty.
  [[nodiscard]] std::string class_name() const;

  /// Of an object: the arguments of the call (a tuple), and the state that was set on it afterwards.
  [[nodiscard]] std::optional<PickleValue> arguments() const;
  [[nodiscard]] std::optional<PickleValue> state() const;
  /// Of an object: what was called.
  [[nodiscard]] std::optional<PickleValue> callable() const;
  /// Of a persistent value: its identification.
  [[nodiscard]] std::optional<PickleValue> persistent_id() const;

 private:
  const Pickle::Nodes* nodes_;
  std::uint32_t id_;
};

/// What the value is, for messages: "a dict", "an int", "a call of posix.system".
std::string describe(const PickleValue& value);

}  // namespace tpn
