// The pickle machine: runs the opcodes of one stream and builds nodes. See CPython's Lib/pickletools.py for
// what each opcode does; where Python would call something, a node is made that remembers the call.
#include <bit>
#include <cstdio>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>

#include "engine/model/text.h"
#include "weights_converter/little_endian.h"
#include "weights_converter/pickle.h"
#include "weights_converter/pickle_nodes.h"
#include "weights_converter/pickle_opcodes.h"

namespace tpn {
namespace {

using Opcode = PickleOpcode;

constexpr std::size_t max_global_name = 1024;  // bytes of a module's or a class's name

class PickleMachine {
 public:
  PickleMachine(std::span<const std::byte> stream, const PickleLimits& limits)
      : limits_(limits), nodes_(std::make_unique<Pickle::Nodes>()) {
    nodes_->stream = stream;
  }

  /// Runs to STOP, or to the first thing that is wrong.
  CheckpointResult<std::unique_ptr<const Pickle::Nodes>> run() {
    if (nodes_->stream.empty() || nodes_->stream[0] != static_cast<std::byte>(Opcode::proto)) {
      fail(nodes_->stream.empty() ? CheckpointError::truncated : CheckpointError::bad_pickle,
           "it does not begin with a protocol number of 2 or above");
    }
    std::uint8_t code = 0;
    while (!failure_ && !stopped_) {
      opcode_at_ = at_;
      if (read(code)) execute(static_cast<Opcode>(code));
    }
    if (failure_) return *std::move(failure_);
    nodes_->size = at_;
    return std::unique_ptr<const Pickle::Nodes>(std::move(nodes_));
  }

 private:
  // Every function that returns bool has called fail() when it returns false.

  void execute(Opcode opcode) {
    if (!literal(opcode) && !container(opcode) && !call(opcode) && !stack_or_memo(opcode)) {
      char text[5] = {};
      static_cast<void>(std::snprintf(text, sizeof text, "0x%02x", static_cast<unsigned>(opcode)));
      malformed(std::string("opcode ") + text +
                " is unknown, or belongs to protocol 0, extension codes or out-of-band buffers");
    }
  }

  // ---- opcodes, by subject; false: not one of these

  bool literal(Opcode opcode) {
    switch (opcode) {
      case Opcode::none:
        push(PickleKind::none, 0);
        return true;
      case Opcode::newtrue:
        push(PickleKind::boolean, 1);
        return true;
      case Opcode::newfalse:
        push(PickleKind::boolean, 0);
        return true;
      case Opcode::binint:
        push_integer<std::int32_t>();
        return true;
      case Opcode::binint1:
        push_integer<std::uint8_t>();
        return true;
      case Opcode::binint2:
        push_integer<std::uint16_t>();
        return true;
      case Opcode::long1:
        push_long<std::uint8_t>();
        return true;
      case Opcode::long4:
        push_long<std::int32_t>();
        return true;
      case Opcode::binfloat:
        push_real();
        return true;
      case Opcode::short_binunicode:
        push_text<std::uint8_t>();
        return true;
      case Opcode::binunicode:
        push_text<std::uint32_t>();
        return true;
      case Opcode::binunicode8:
        push_text<std::uint64_t>();
        return true;
      case Opcode::short_binstring:
        push_python2_string<std::uint8_t>();
        return true;
      case Opcode::binstring:
        push_python2_string<std::int32_t>();
        return true;
      case Opcode::short_binbytes:
        push_bytes<std::uint8_t>();
        return true;
      case Opcode::binbytes:
        push_bytes<std::uint32_t>();
        return true;
      case Opcode::binbytes8:
      case Opcode::bytearray8:
        push_bytes<std::uint64_t>();
        return true;
      default:
        return false;
    }
  }

  bool container(Opcode opcode) {
    switch (opcode) {
      case Opcode::empty_list:
        push_sequence(PickleKind::list, stack_.size());
        return true;
      case Opcode::empty_tuple:
        push_sequence(PickleKind::tuple, stack_.size());
        return true;
      case Opcode::empty_dict:
        push_sequence(PickleKind::dictionary, stack_.size());
        return true;
      case Opcode::empty_set:
        push_sequence(PickleKind::set, stack_.size());
        return true;
      case Opcode::tuple1:
        if (need(1)) push_sequence(PickleKind::tuple, stack_.size() - 1);
        return true;
      case Opcode::tuple2:
        if (need(2)) push_sequence(PickleKind::tuple, stack_.size() - 2);
        return true;
      case Opcode::tuple3:
        if (need(3)) push_sequence(PickleKind::tuple, stack_.size() - 3);
        return true;
      case Opcode::tuple:
        push_marked(PickleKind::tuple);
        return true;
      case Opcode::list:
        push_marked(PickleKind::list);
        return true;
      case Opcode::frozenset:
        push_marked(PickleKind::set);
        return true;
      case Opcode::dict:
        push_marked(PickleKind::dictionary);
        return true;
      case Opcode::append:
        if (need(2)) add_elements(PickleKind::list, stack_.size() - 1);
        return true;
      case Opcode::appends:
        add_marked_elements(PickleKind::list);
        return true;
      case Opcode::additems:
        add_marked_elements(PickleKind::set);
        return true;
      case Opcode::setitem:
        if (need(3)) add_pairs(stack_.size() - 2);
        return true;
      case Opcode::setitems: {
        std::size_t begin = 0;
        if (pop_mark(begin) && need_below(begin)) add_pairs(begin);
        return true;
      }
      default:
        return false;
    }
  }

  bool call(Opcode opcode) {
    switch (opcode) {
      case Opcode::global: {
        PickleId module = 0;
        PickleId name = 0;
        if (read_line(module) && read_line(name)) push_global(module, name);
        return true;
      }
      case Opcode::stack_global:
        if (need(2)) {
          const PickleId name = pop();
          const PickleId module = pop();
          push_global(module, name);
        }
        return true;
      case Opcode::reduce:
      case Opcode::newobj:
        if (need(2)) {
          const PickleId arguments = pop();
          push_object(pop(), arguments);
        }
        return true;
      case Opcode::newobj_ex:
        if (need(3)) {
          const PickleId keywords = pop();
          const PickleId arguments = pop();
          if (node(keywords).kind != PickleKind::dictionary) malformed("keyword arguments are not a dict");
          push_object(pop(), arguments);
        }
        return true;
      case Opcode::inst: {
        PickleId module = 0;
        PickleId name = 0;
        if (!read_line(module) || !read_line(name) || !push_marked(PickleKind::tuple)) return true;
        const PickleId arguments = pop();
        if (push_global(module, name)) push_object(pop(), arguments);
        return true;
      }
      case Opcode::obj: {
        // The class is the first value above the mark.
        if (marks_.empty() || stack_.size() == marks_.back()) {
          malformed("OBJ without a mark and a class");
          return true;
        }
        const PickleId callable = stack_[marks_.back()];
        ++marks_.back();
        if (!push_marked(PickleKind::tuple)) return true;
        const PickleId arguments = pop();
        pop();
        push_object(callable, arguments);
        return true;
      }
      case Opcode::build:
        if (need(2)) {
          const PickleId state = pop();
          const PickleNode& target = node(stack_.back());
          if (target.kind != PickleKind::object) {
            malformed("BUILD of a value that is no object");
          } else {
            nodes_->objects[target.value].state = state;
          }
        }
        return true;
      case Opcode::binpersid:
        if (need(1)) push(PickleKind::persistent, pop());
        return true;
      default:
        return false;
    }
  }

  bool stack_or_memo(Opcode opcode) {
    switch (opcode) {
      case Opcode::proto: {
        std::uint8_t version = 0;
        if (read(version) && (version < 2 || version > 5)) {
          malformed("protocol " + std::to_string(version) + " is not one of 2 to 5");
        }
        return true;
      }
      case Opcode::frame: {
        // Frames only tell where a reader may refill its buffer.
        std::uint64_t length = 0;
        if (read(length) && length > rest().size()) out_of_bytes();
        return true;
      }
      case Opcode::stop:
        stop();
        return true;
      case Opcode::mark:
        if (marks_.size() >= limits_.stack) {
          over_limit("marks");
        } else {
          marks_.push_back(stack_.size());
        }
        return true;
      case Opcode::pop:
        if (!marks_.empty() && stack_.size() == marks_.back()) {
          marks_.pop_back();
        } else if (need(1)) {
          pop();
        }
        return true;
      case Opcode::pop_mark: {
        std::size_t begin = 0;
        if (pop_mark(begin)) stack_.resize(begin);
        return true;
      }
      case Opcode::dup:
        if (need(1)) push(stack_.back());
        return true;
      case Opcode::binput: {
        std::uint8_t slot = 0;
        if (read(slot)) put(slot);
        return true;
      }
      case Opcode::long_binput: {
        std::uint32_t slot = 0;
        if (read(slot)) put(slot);
        return true;
      }
      case Opcode::memoize:
        put(memo_used_);
        return true;
      case Opcode::binget: {
        std::uint8_t slot = 0;
        if (read(slot)) get(slot);
        return true;
      }
      case Opcode::long_binget: {
        std::uint32_t slot = 0;
        if (read(slot)) get(slot);
        return true;
      }
      default:
        return false;
    }
  }

  void stop() {
    if (!marks_.empty()) {
      malformed("STOP while a mark is open");
    } else if (stack_.size() != 1) {
      malformed("STOP with " + std::to_string(stack_.size()) + " values on the stack instead of 1");
    } else {
      nodes_->root = stack_.back();
      stopped_ = true;
    }
  }

  // ---- literals

  template <class Integer>
  void push_integer() {
    Integer value{};
    if (read(value))
      push(PickleKind::integer, std::bit_cast<std::uint64_t>(static_cast<std::int64_t>(value)));
  }

  template <class Length>
  void push_long() {
    std::span<const std::byte> digits;
    if (!read_counted<Length>(digits)) return;
    constexpr std::size_t width = sizeof(std::int64_t);
    if (digits.size() > width) {
      push_view(PickleKind::big_integer, digits);
      return;
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < digits.size(); ++i)
      value |= std::to_integer<std::uint64_t>(digits[i]) << (8 * i);
    if (const std::size_t bits = 8 * digits.size(); bits > 0 && bits < 64 && (value >> (bits - 1) & 1U)) {
      value |= ~std::uint64_t{0} << bits;  // extend the sign
    }
    push(PickleKind::integer, value);
  }

  void push_real() {
    std::span<const std::byte> digits;
    if (!take(sizeof(double), digits)) return;
    std::uint64_t bits = 0;
    for (const std::byte b : digits) bits = bits << 8 | std::to_integer<std::uint64_t>(b);  // big-endian
    push(PickleKind::real, bits);
  }

  template <class Length>
  void push_text() {
    std::span<const std::byte> text;
    if (!read_counted<Length>(text)) return;
    if (!valid_text(text)) {
      malformed("text is not UTF-8");
      return;
    }
    push_view(PickleKind::text, text);
  }

  template <class Length>
  void push_python2_string() {
    std::span<const std::byte> text;
    if (read_counted<Length>(text)) push_view(valid_text(text) ? PickleKind::text : PickleKind::bytes, text);
  }

  template <class Length>
  void push_bytes() {
    std::span<const std::byte> bytes;
    if (read_counted<Length>(bytes)) push_view(PickleKind::bytes, bytes);
  }

  static bool valid_text(std::span<const std::byte> text) {
    return is_utf8(as_text(text), Surrogates::allow);
  }

  // ---- containers and calls

  /// Makes a container of stack_[begin..] in their place.
  bool push_sequence(PickleKind kind, std::size_t begin) {
    if (kind == PickleKind::dictionary && (stack_.size() - begin) % 2 != 0) {
      return malformed("a dict with a key but no value");
    }
    if (!count_elements(stack_.size() - begin)) return false;
    nodes_->sequences.emplace_back(stack_.begin() + static_cast<std::ptrdiff_t>(begin), stack_.end());
    stack_.resize(begin);
    return push(kind, nodes_->sequences.size() - 1);
  }

  bool push_marked(PickleKind kind) {
    std::size_t begin = 0;
    return pop_mark(begin) && push_sequence(kind, begin);
  }

  /// Appends stack_[begin..] to the list or set below them. Elements given to an object (a deque) are not
  /// kept.
  void add_elements(PickleKind kind, std::size_t begin) {
    const PickleNode& target = node(stack_[begin - 1]);
    if (target.kind == kind) {
      append(nodes_->sequences[target.value], begin);
    } else if (target.kind == PickleKind::object) {
      stack_.resize(begin);
    } else {
      malformed("elements are added to a value that is no list, set or object");
    }
  }

  void add_marked_elements(PickleKind kind) {
    std::size_t begin = 0;
    if (pop_mark(begin) && need_below(begin)) add_elements(kind, begin);
  }

  void add_pairs(std::size_t begin) {
    const PickleNode& target = node(stack_[begin - 1]);
    if ((stack_.size() - begin) % 2 != 0) {
      malformed("a key without a value");
    } else if (target.kind == PickleKind::dictionary) {
      append(nodes_->sequences[target.value], begin);
    } else if (target.kind == PickleKind::object) {
      append(nodes_->objects[target.value].pairs, begin);
    } else {
      malformed("items are set on a value that is no dict or object");
    }
  }

  void append(std::vector<PickleId>& sequence, std::size_t begin) {
    if (!count_elements(stack_.size() - begin)) return;
    sequence.insert(sequence.end(), stack_.begin() + static_cast<std::ptrdiff_t>(begin), stack_.end());
    stack_.resize(begin);
  }

  bool push_global(PickleId module, PickleId name) {
    for (const PickleId id : {module, name}) {
      if (node(id).kind != PickleKind::text) return malformed("a class or function whose name is no text");
      if (node(id).length > max_global_name) return over_limit("bytes in the name of a class or function");
    }
    if (!count_elements(2)) return false;
    nodes_->sequences.push_back({module, name});
    return push(PickleKind::global, nodes_->sequences.size() - 1);
  }

  bool push_object(PickleId callable, PickleId arguments) {
    const PickleKind kind = node(callable).kind;
    if (kind != PickleKind::global && kind != PickleKind::object)
      return malformed("a call of " + name_of(kind));
    if (node(arguments).kind != PickleKind::tuple) return malformed("a call whose arguments are no tuple");
    nodes_->objects.push_back({callable, arguments});
    return push(PickleKind::object, nodes_->objects.size() - 1);
  }

  static std::string name_of(PickleKind kind) {
    return kind == PickleKind::none ? "None" : "a value that is no class or function";
  }

  // ---- stack, marks, memo

  [[nodiscard]] const PickleNode& node(PickleId id) const { return (*nodes_)[id]; }

  bool push(PickleId id) {
    if (stack_.size() >= limits_.stack) return over_limit("values on the stack");
    stack_.push_back(id);
    return true;
  }

  bool push(PickleKind kind, std::uint64_t value, std::uint32_t length = 0) {
    PickleId id = 0;
    return add_node({kind, length, value}, id) && push(id);
  }

  bool push_view(PickleKind kind, std::span<const std::byte> bytes) {
    PickleId id = 0;
    return add_view(kind, bytes, id) && push(id);
  }

  bool add_node(const PickleNode& added, PickleId& id) {
    if (nodes_->nodes.size() >= limits_.nodes) return over_limit("values");
    id = static_cast<PickleId>(nodes_->nodes.size());
    nodes_->nodes.push_back(added);
    return true;
  }

  bool add_view(PickleKind kind, std::span<const std::byte> bytes, PickleId& id) {
    if (bytes.size() > std::numeric_limits<std::uint32_t>::max()) return over_limit("bytes in one value");
    const auto offset = static_cast<std::uint64_t>(bytes.data() - nodes_->stream.data());
    return add_node({kind, static_cast<std::uint32_t>(bytes.size()), offset}, id);
  }

  bool count_elements(std::size_t count) {
    elements_ += count;
    return elements_ <= limits_.elements || over_limit("elements in containers");
  }

  /// Whether `count` values lie above the last mark.
  bool need(std::size_t count) {
    const std::size_t floor = marks_.empty() ? 0 : marks_.back();
    return stack_.size() - floor >= count || malformed("too few values on the stack");
  }

  /// Whether there is a value directly below stack_[begin] that belongs to the mark before.
  bool need_below(std::size_t begin) {
    const std::size_t floor = marks_.empty() ? 0 : marks_.back();
    return begin > floor || malformed("no container below the mark");
  }

  PickleId pop() {
    const PickleId id = stack_.back();
    stack_.pop_back();
    return id;
  }

  bool pop_mark(std::size_t& begin) {
    if (marks_.empty()) return malformed("no mark on the stack");
    begin = marks_.back();
    marks_.pop_back();
    return true;
  }

  void put(std::size_t slot) {
    if (!need(1)) return;
    if (slot >= limits_.stack) {
      over_limit("memo slots");
      return;
    }
    if (slot >= memo_.size()) memo_.resize(slot + 1, no_pickle_id);
    if (memo_[slot] == no_pickle_id) ++memo_used_;
    memo_[slot] = stack_.back();
  }

  void get(std::size_t slot) {
    if (slot >= memo_.size() || memo_[slot] == no_pickle_id) {
      malformed("memo slot " + std::to_string(slot) + " is read before it is written");
    } else {
      push(memo_[slot]);
    }
  }

  // ---- bytes

  [[nodiscard]] std::span<const std::byte> rest() const { return nodes_->stream.subspan(at_); }

  bool take(std::uint64_t count, std::span<const std::byte>& bytes) {
    if (count > rest().size()) return out_of_bytes();
    if (count > limits_.bytes - at_) return over_limit("bytes");
    bytes = rest().first(count);
    at_ += count;
    return true;
  }

  /// A little-endian integer.
  template <class Integer>
  bool read(Integer& value) {
    std::span<const std::byte> digits;
    if (!take(sizeof(Integer), digits)) return false;
    value = std::bit_cast<Integer>(little_endian<std::make_unsigned_t<Integer>>(digits, 0));
    return true;
  }

  /// A count, then so many bytes.
  template <class Length>
  bool read_counted(std::span<const std::byte>& bytes) {
    Length length{};
    if (!read(length)) return false;
    if constexpr (std::is_signed_v<Length>) {
      if (length < 0) return malformed("a negative length");
    }
    return take(static_cast<std::uint64_t>(length), bytes);
  }

  /// A text up to a newline, as a new node that is not on the stack.
  bool read_line(PickleId& id) {
    const auto bytes = rest();
    const void* const newline = bytes.empty() ? nullptr : std::memchr(bytes.data(), '\n', bytes.size());
    if (newline == nullptr) return out_of_bytes();
    const auto length = static_cast<std::size_t>(static_cast<const std::byte*>(newline) - bytes.data());
    std::span<const std::byte> line;
    if (!take(length + 1, line)) return false;
    line = line.first(length);
    return valid_text(line) ? add_view(PickleKind::text, line, id) : malformed("a name is not UTF-8");
  }

  // ---- failures; each returns false

  bool fail(CheckpointError kind, const std::string& what) {
    if (!failure_) {
      failure_.emplace(kind,
                       "The pickle is damaged at byte " + std::to_string(opcode_at_) + ": " + what + ".");
    }
    return false;
  }
  bool malformed(const std::string& what) { return fail(CheckpointError::bad_pickle, what); }
  bool out_of_bytes() { return fail(CheckpointError::truncated, "it ends early"); }
  bool over_limit(const std::string& what) {
    if (!failure_) {
      failure_.emplace(CheckpointError::limit,
                       "The pickle holds more " + what + " than any checkpoint needs.");
    }
    return false;
  }

  PickleLimits limits_;
  std::unique_ptr<Pickle::Nodes> nodes_;
  std::vector<PickleId> stack_;
  std::vector<std::size_t> marks_;  ///< sizes of the stack where a mark was set
  std::vector<PickleId> memo_;
  std::size_t memo_used_ = 0;  ///< slots written: where MEMOIZE puts the next
  std::size_t elements_ = 0;
  std::size_t at_ = 0;
  std::size_t opcode_at_ = 0;
  bool stopped_ = false;
  std::optional<CheckpointFailure> failure_;
};

}  // namespace

CheckpointResult<Pickle> Pickle::parse(std::span<const std::byte> stream, const PickleLimits& limits) {
  auto nodes = PickleMachine(stream, limits).run();
  if (!nodes) return nodes.failure();
  return Pickle(std::move(*nodes));
}

}  // namespace tpn
