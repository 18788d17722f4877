#include "weights_converter/legacy_file.h"

#include <algorithm>
#include <string>
#include <utility>

#include "engine/model/text.h"
#include "weights_converter/little_endian.h"
#include "weights_converter/storage_id.h"

namespace tpn {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::size_t max_magic_pickle = 64;  // bytes; 15 as protocol 2 writes it

CheckpointFailure bad_pickle(const std::string& what) {
  return {CheckpointError::bad_pickle, "The legacy checkpoint is damaged: " + what + "."};
}

CheckpointFailure bad_storage(std::string_view key, const std::string& what) {
  return {CheckpointError::bad_tensor, "The storage " + in_quotes(key) + " " + what + "."};
}

CheckpointFailure truncated() {
  return {CheckpointError::truncated, "The legacy checkpoint ends early: the file is cut short."};
}

/// The pickle of the magic number.
CheckpointResult<Pickle> parse_magic(Bytes bytes) {
  return Pickle::parse(bytes.first(std::min(bytes.size(), max_magic_pickle)));
}

/// Parses the pickle that `rest` starts with and removes it from there.
CheckpointResult<Pickle> next_pickle(Bytes& rest) {
  auto pickle = Pickle::parse(rest);
  if (pickle) rest = rest.subspan(pickle->size());
  return pickle;
}

using StorageIds = std::unordered_map<std::string_view, StorageId>;

/// Every storage that the object refers to, in the optimizer too: their sizes are needed to walk the data.
CheckpointResult<StorageIds> collect_storages(const Pickle& object) {
  StorageIds ids;
  for (const PickleValue& value : object.persistent_values()) {
    const auto id = parse_storage_id(value);
    if (!id) return id.failure();
    const auto [known, added] = ids.try_emplace(id->key, *id);
    if (!added && (known->second.bytes != id->bytes || known->second.type.name != id->type.name)) {
      return bad_storage(id->key, "is described in two different ways");
    }
  }
  return ids;
}

}  // namespace

bool has_legacy_magic(Bytes bytes) {
  const auto pickle = parse_magic(bytes);
  if (!pickle) return false;
  const auto digits = pickle->root().big_integer();
  return digits &&
         std::equal(digits->begin(), digits->end(), legacy_magic.begin(), legacy_magic.end(),
                    [](std::byte a, std::uint8_t b) { return std::to_integer<std::uint8_t>(a) == b; });
}

CheckpointResult<SavedObject> parse_legacy_file(Bytes bytes) {
  const auto first = parse_magic(bytes);
  if (!first) return first.failure();
  Bytes rest = bytes.subspan(first->size());
  const auto version = next_pickle(rest);
  if (!version) return version.failure();
  if (version->root().integer() != legacy_version) return bad_pickle("its version is not 1001");
  const auto system = next_pickle(rest);
  if (!system) return system.failure();
  const auto little = system->root().find("little_endian");
  if (!little || !little->boolean()) return bad_pickle("the facts about the writing machine are missing");
  if (!*little->boolean()) {
    return CheckpointFailure(CheckpointError::unsupported_byteorder,
                             "The checkpoint was written on a big-endian machine, which is not supported.");
  }
  auto object = next_pickle(rest);
  if (!object) return object.failure();
  if (rest.empty() && !object->root().is_dictionary()) {
    return bad_pickle("it holds " + describe(object->root()) + " and no list of storages");
  }
  const auto keys = next_pickle(rest);
  if (!keys) return keys.failure();
  if (keys->root().kind() != PickleKind::list)
    return bad_pickle("the list of storages is " + describe(keys->root()));

  const auto ids = collect_storages(*object);
  if (!ids) return ids.failure();
  SavedObject saved{std::move(*object), {}, 0};
  for (std::size_t i = 0; i < keys->root().size(); ++i) {
    const auto key = keys->root()[i].text();
    if (!key) return bad_pickle("the key of a storage is " + describe(keys->root()[i]));
    const auto found = ids->find(*key);
    if (found == ids->end()) return bad_storage(*key, "is in the file, but no tensor tells its type");
    const StorageId& id = found->second;
    if (rest.size() < sizeof(std::int64_t)) return truncated();
    const auto count = little_endian<std::uint64_t>(rest, 0);
    rest = rest.subspan(sizeof(std::int64_t));
    if (count != id.bytes / id.type.element_bytes)
      return bad_storage(*key, "has two different element counts");
    if (rest.size() < id.bytes) return truncated();
    if (!saved.storages.try_emplace(*key, StorageBytes{rest.first(id.bytes), std::nullopt}).second)
      return bad_storage(*key, "is listed twice");
    rest = rest.subspan(id.bytes);
  }
  saved.bytes_behind = rest.size();
  return saved;
}

}  // namespace tpn
