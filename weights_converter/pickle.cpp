#include "weights_converter/pickle.h"

#include <algorithm>
#include <array>
#include <bit>

#include "engine/model/text.h"
#include "weights_converter/pickle_nodes.h"

namespace tpn {
namespace {

/// Dictionaries whose class is known, so that empty ones count as well.
bool is_dictionary_class(std::string_view name) {
  constexpr std::array<std::string_view, 4> names{"collections.OrderedDict", "collections.defaultdict",
                                                  "builtins.dict", "__builtin__.dict"};
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

Pickle::Pickle(std::unique_ptr<const Nodes> nodes) : nodes_(std::move(nodes)) {}
Pickle::Pickle(Pickle&&) noexcept = default;
Pickle& Pickle::operator=(Pickle&&) noexcept = default;
Pickle::~Pickle() = default;

PickleValue Pickle::root() const {
  return {*nodes_, nodes_->root};
}

std::size_t Pickle::size() const {
  return nodes_->size;
}

std::vector<PickleValue> Pickle::persistent_values() const {
  std::vector<PickleValue> values;
  for (PickleId id = 0; id < nodes_->nodes.size(); ++id) {
    if ((*nodes_)[id].kind == PickleKind::persistent) values.emplace_back(*nodes_, id);
  }
  return values;
}

PickleKind PickleValue::kind() const {
  return (*nodes_)[id_].kind;
}

std::optional<bool> PickleValue::boolean() const {
  if (kind() != PickleKind::boolean) return std::nullopt;
  return (*nodes_)[id_].value != 0;
}

std::optional<std::int64_t> PickleValue::integer() const {
  if (kind() != PickleKind::integer) return std::nullopt;
  return std::bit_cast<std::int64_t>((*nodes_)[id_].value);
}

std::optional<double> PickleValue::real() const {
  if (kind() != PickleKind::real) return std::nullopt;
  return std::bit_cast<double>((*nodes_)[id_].value);
}

std::optional<std::string_view> PickleValue::text() const {
  if (kind() != PickleKind::text) return std::nullopt;
  return as_text(nodes_->bytes_of((*nodes_)[id_]));
}

std::optional<std::span<const std::byte>> PickleValue::bytes() const {
  if (kind() != PickleKind::bytes) return std::nullopt;
  return nodes_->bytes_of((*nodes_)[id_]);
}

std::optional<std::span<const std::byte>> PickleValue::big_integer() const {
  if (kind() != PickleKind::big_integer) return std::nullopt;
  return nodes_->bytes_of((*nodes_)[id_]);
}

std::size_t PickleValue::size() const {
  switch (kind()) {
    case PickleKind::list:
    case PickleKind::tuple:
    case PickleKind::set:
      return nodes_->sequences[(*nodes_)[id_].value].size();
    default:
      return 0;
  }
}

PickleValue PickleValue::operator[](std::size_t index) const {
  return {*nodes_, nodes_->sequences[(*nodes_)[id_].value].at(index)};
}

bool PickleValue::is_dictionary() const {
  if (kind() == PickleKind::dictionary) return true;
  if (kind() != PickleKind::object) return false;
  return !nodes_->objects[(*nodes_)[id_].value].pairs.empty() || is_dictionary_class(class_name());
}

std::vector<std::pair<PickleValue, PickleValue>> PickleValue::entries() const {
  std::vector<std::pair<PickleValue, PickleValue>> entries;
  if (!is_dictionary()) return entries;
  const std::uint64_t index = (*nodes_)[id_].value;
  const bool plain = kind() == PickleKind::dictionary;
  const std::vector<PickleId>& pairs = plain ? nodes_->sequences[index] : nodes_->objects[index].pairs;
  // Python 2 makes an OrderedDict by one call with a list of [key, value].
  if (const auto call = arguments(); call && call->size() == 1 && class_name() == "collections.OrderedDict") {
    const PickleValue items = (*call)[0];
    for (std::size_t i = 0; i < items.size(); ++i) {
      const PickleValue item = items[i];
      if (item.size() == 2 && item.kind() != PickleKind::set) entries.emplace_back(item[0], item[1]);
    }
  }
  for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
    entries.emplace_back(PickleValue(*nodes_, pairs[i]), PickleValue(*nodes_, pairs[i + 1]));
  }
  return entries;
}

std::optional<PickleValue> PickleValue::find(std::string_view key) const {
  const auto all = entries();
  const auto found =
      std::find_if(all.rbegin(), all.rend(), [&](const auto& entry) { return entry.first.text() == key; });
  return found == all.rend() ? std::nullopt : std::optional(found->second);
}

std::string PickleValue::class_name() const {
  if (const auto called = callable()) {
    return called->kind() == PickleKind::global ? called->class_name() : std::string();
  }
  if (kind() != PickleKind::global) return {};
  const std::vector<PickleId>& names = nodes_->sequences[(*nodes_)[id_].value];
  std::string name(as_text(nodes_->bytes_of((*nodes_)[names[0]])));
  return name.append(".").append(as_text(nodes_->bytes_of((*nodes_)[names[1]])));
}

std::optional<PickleValue> PickleValue::arguments() const {
  if (kind() != PickleKind::object) return std::nullopt;
  return PickleValue(*nodes_, nodes_->objects[(*nodes_)[id_].value].arguments);
}

std::optional<PickleValue> PickleValue::state() const {
  if (kind() != PickleKind::object) return std::nullopt;
  const PickleId id = nodes_->objects[(*nodes_)[id_].value].state;
  return id == no_pickle_id ? std::nullopt : std::optional(PickleValue(*nodes_, id));
}

std::optional<PickleValue> PickleValue::callable() const {
  if (kind() != PickleKind::object) return std::nullopt;
  return PickleValue(*nodes_, nodes_->objects[(*nodes_)[id_].value].callable);
}

std::optional<PickleValue> PickleValue::persistent_id() const {
  if (kind() != PickleKind::persistent) return std::nullopt;
  return PickleValue(*nodes_, static_cast<PickleId>((*nodes_)[id_].value));
}

std::string describe(const PickleValue& value) {
  switch (value.kind()) {
    case PickleKind::none:
      return "None";
    case PickleKind::boolean:
      return "a bool";
    case PickleKind::integer:
      return "the int " + std::to_string(*value.integer());
    case PickleKind::big_integer:
      return "an int beyond 64 bits";
    case PickleKind::real:
      return "a float";
    case PickleKind::text:
      return "a str";
    case PickleKind::bytes:
      return "bytes";
    case PickleKind::list:
      return "a list";
    case PickleKind::tuple:
      return "a tuple";
    case PickleKind::set:
      return "a set";
    case PickleKind::dictionary:
      return "a dict";
    case PickleKind::global:
      return "the class or function " + in_quotes(value.class_name());
    case PickleKind::object: {
      const std::string name = value.class_name();
      return name.empty() ? "the result of a call" : "the result of calling " + in_quotes(name);
    }
    case PickleKind::persistent:
      return "a storage";
  }
  return "?";
}

}  // namespace tpn
