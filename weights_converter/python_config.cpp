#include "weights_converter/python_config.h"

#include <charconv>
#include <optional>
#include <string>

#include "engine/model/text.h"

namespace tpn {
namespace {

using nlohmann::json;

constexpr std::size_t max_text_bytes = std::size_t{1} << 20;
constexpr int deepest_nesting = 32;

bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_opening(char c) {
  return c == '(' || c == '[' || c == '{';
}
bool is_closing(char c) {
  return c == ')' || c == ']' || c == '}';
}
bool is_quote(char c) {
  return c == '\'' || c == '"';
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  json parse() {
    json assignments = json::object();
    while (!at_end()) {
      const std::string_view name = read_name();
      skip_space(false);
      const bool assigns = !name.empty() && peek() == '=' && peek(1) != '=';
      if (assigns) {
        ++at_;
        skip_space(false);
        json value = read_value(0);
        skip_space(false);
        assignments[std::string(name)] = ends_line() ? std::move(value) : json();
      }
      skip_line();
    }
    return assignments;
  }

 private:
  [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  [[nodiscard]] bool ends_line() const { return at_end() || peek() == '\n' || peek() == '#'; }

  /// Past blanks and comments, and line ends where brackets are open.
  void skip_space(bool lines) {
    while (!at_end()) {
      const char c = peek();
      if (c == '#') {
        while (!at_end() && peek() != '\n') ++at_;
      } else if (c == ' ' || c == '\t' || c == '\r' || (lines && c == '\n')) {
        ++at_;
      } else {
        return;
      }
    }
  }

  /// Past the end of the logical line: over strings and open brackets.
  void skip_line() {
    skip_until([](char c) { return c == '\n'; });
    if (!at_end()) ++at_;
  }

  /// To the comma or bracket that ends an element.
  void skip_element() {
    skip_until([](char c) { return c == ',' || is_closing(c); });
  }

  template <class Stop>
  void skip_until(const Stop& stop) {
    std::size_t open = 0;
    while (!at_end()) {
      const char c = peek();
      if (open == 0 && stop(c)) return;
      if (is_quote(c)) {
        read_string();
        continue;
      }
      if (c == '#') {
        while (!at_end() && peek() != '\n') ++at_;
        continue;
      }
      if (is_opening(c)) ++open;
      if (is_closing(c) && open > 0) --open;
      ++at_;
    }
  }

  std::string_view read_name() {
    const std::size_t begin = at_;
    if (is_name_start(peek())) {
      while (is_name_start(peek()) || is_digit(peek())) ++at_;
    }
    return text_.substr(begin, at_ - begin);
  }

  /// A quoted string, single or triple; the common escapes are resolved.
  std::string read_string() {
    const char quote = peek();
    const bool triple = peek(1) == quote && peek(2) == quote;
    const std::size_t marks = triple ? 3 : 1;
    at_ += marks;
    std::string value;
    for (; !at_end(); ++at_) {
      const char c = peek();
      if (c == quote && (!triple || (peek(1) == quote && peek(2) == quote))) {
        at_ += marks;
        return value;
      }
      if (c == '\n' && !triple) return value;  // not closed
      if (c != '\\') {
        value += c;
        continue;
      }
      ++at_;
      const char escaped = peek();
      if (escaped == 'n') {
        value += '\n';
      } else if (escaped == 't') {
        value += '\t';
      } else if (!at_end()) {
        value += escaped;
      }
    }
    return value;
  }

  /// A literal; null, with the position anywhere behind, for what is none.
  json read_value(int depth) {
    const char c = peek();
    if (is_quote(c)) {
      std::string value = read_string();
      for (skip_space(depth > 0); is_quote(peek()); skip_space(depth > 0)) value += read_string();
      return value;
    }
    if (is_digit(c) || c == '-' || c == '.') return read_number();
    if (is_name_start(c)) return read_named(depth);
    if (!is_opening(c) || depth == deepest_nesting) return {};
    return c == '{' ? read_braces(depth + 1) : read_sequence(depth + 1);
  }

  json read_number() {
    const std::size_t begin = at_;
    if (peek() == '-') ++at_;
    while (is_digit(peek()) || peek() == '.' || is_name_start(peek()) ||
           ((peek() == '-' || peek() == '+') && (text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E'))) {
      ++at_;
    }
    const char* const first = text_.data() + begin;
    const char* const last = text_.data() + at_;
    std::int64_t integer = 0;
    if (const auto read = std::from_chars(first, last, integer); read.ec == std::errc() && read.ptr == last) {
      return integer;
    }
    double real = 0;
    if (const auto read = std::from_chars(first, last, real); read.ec == std::errc() && read.ptr == last)
      return real;
    return {};
  }

  json read_named(int depth) {
    const std::string_view name = read_name();
    if (name == "True") return true;
    if (name == "False") return false;
    if (name != "dict" || peek() != '(' || depth == deepest_nesting) return {};
    ++at_;
    return read_members(depth + 1, ')', '=', [this]() -> std::optional<std::string> {
      const std::string_view key = read_name();
      return key.empty() ? std::nullopt : std::optional<std::string>(key);
    });
  }

  json read_braces(int depth) {
    ++at_;
    return read_members(depth, '}', ':', [this]() -> std::optional<std::string> {
      return is_quote(peek()) ? std::optional<std::string>(read_string()) : std::nullopt;
    });
  }

  /// The members of a dictionary up to its closing bracket.
  template <class ReadKey>
  json read_members(int depth, char close, char separator, const ReadKey& read_key) {
    json members = json::object();
    for (skip_space(true); !at_end() && peek() != close; skip_space(true)) {
      const std::optional<std::string> key = read_key();
      skip_space(true);
      if (key && peek() == separator) {
        ++at_;
        skip_space(true);
        members[*key] = read_element(depth);
      } else {
        skip_element();
      }
      if (!end_element()) break;
    }
    if (peek() == close) ++at_;
    return members;
  }

  json read_sequence(int depth) {
    const char close = peek() == '(' ? ')' : ']';
    ++at_;
    json elements = json::array();
    bool comma = false;
    for (skip_space(true); !at_end() && peek() != close; skip_space(true)) {
      elements.push_back(read_element(depth));
      comma = peek() == ',';
      if (!end_element()) break;
    }
    if (peek() == close) ++at_;
    const bool parenthesised = close == ')' && elements.size() == 1 && !comma;
    return parenthesised ? json(elements[0]) : elements;
  }

  /// A value and nothing after it; null otherwise. Stops at the comma or bracket behind it.
  json read_element(int depth) {
    json value = read_value(depth);
    skip_space(true);
    const bool ended = peek() == ',' || is_closing(peek());
    if (ended) return value;
    skip_element();
    return {};
  }

  /// Past a comma; false when the bracket must close here.
  bool end_element() {
    if (peek() != ',') return false;
    ++at_;
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

json parse_python_config(std::string_view text) {
  return text.size() > max_text_bytes ? json::object() : Parser(text).parse();
}

}  // namespace tpn
