// How the values of a pickle are kept. Used by the parser and by PickleValue only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "weights_converter/pickle.h"

namespace tpn {

using PickleId = std::uint32_t;
inline constexpr PickleId no_pickle_id = 0xffffffffU;

/// What `length` and `value` hold depends on the kind:
///   boolean, integer, real        value: 0 or 1, the two's complement, the bits of the double
///   text, bytes, big_integer      value: offset in the stream; length: bytes
///   list, tuple, set, dictionary  value: index into sequences (a dictionary's keys and values alternate)
///   global                        value: index into sequences, of module and name
///   object                        value: index into objects
///   persistent                    value: id of the identification
struct PickleNode {
  PickleKind kind;
  std::uint32_t length;
  std::uint64_t value;
};

struct PickleObject {
  PickleId callable;
  PickleId arguments;
  PickleId state = no_pickle_id;
  std::vector<PickleId> pairs{};  ///< keys and values that were set on it, alternating
};

struct Pickle::Nodes {
  std::span<const std::byte> stream;
  std::vector<PickleNode> nodes;
  std::vector<std::vector<PickleId>> sequences;
  std::vector<PickleObject> objects;
  PickleId root = no_pickle_id;
  std::size_t size = 0;  ///< bytes read

  [[nodiscard]] const PickleNode& operator[](PickleId id) const { return nodes[id]; }
  [[nodiscard]] std::span<const std::byte> bytes_of(const PickleNode& node) const {
    return stream.subspan(node.value, node.length);
  }
};

}  // namespace tpn
