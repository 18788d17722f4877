#include "weights_converter/checkpoint.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "engine/model/file_kind.h"
#include "engine/model/mapped_file.h"
#include "engine/model/text.h"
#include "weights_converter/legacy_file.h"
#include "weights_converter/pieces.h"
#include "weights_converter/state_dict.h"
#include "weights_converter/torch_archive.h"

namespace tpn {
namespace {

using Bytes = std::span<const std::byte>;

/// Views that share or repeat their storage can make tensors larger than the file, but not by orders of
/// magnitude.
std::uint64_t max_tensor_bytes(std::size_t file_bytes) {
  return (std::uint64_t{64} << 20) + 8 * file_bytes;
}

CheckpointResult<SavedObject> parse_saved_object(Bytes bytes) {
  if (ZipArchive::has_signature(bytes)) return parse_torch_archive(bytes);
  if (has_legacy_magic(bytes)) return parse_legacy_file(bytes);
  if (bytes.empty()) return CheckpointFailure(CheckpointError::not_a_checkpoint, "The file is empty.");
  std::string sentence = "The file is not one that torch.save wrote.";
  if (has_safetensors_signature(bytes)) {
    sentence +=
        " It is a safetensors file; a model that tpn_convert wrote needs no conversion, and others cannot "
        "be converted.";
  } else if (const auto kind = foreign_kind(bytes)) {
    sentence += " It is " + *kind + ".";
  }
  return CheckpointFailure(CheckpointError::not_a_checkpoint, std::move(sentence));
}

std::vector<std::string> text_keys_except(const PickleValue& dictionary, std::string_view excluded) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : dictionary.entries()) {
    if (const auto text = key.text(); text && *text != excluded) keys.emplace_back(*text);
  }
  return keys;
}

}  // namespace

struct Checkpoint::State {
  MappedFile file;  ///< empty when the bytes are someone else's
  SavedObject saved;
  StateDict state_dict;
  std::vector<std::string> other_keys;

  void release(Bytes part) const {
    if (!file.bytes().empty()) release_pages(part);
  }

  /// Compares the checksums of the storages that tensors use, each once.
  [[nodiscard]] std::optional<CheckpointFailure> verify_storages() const {
    std::unordered_set<std::string_view> done;
    for (const StoredTensor& tensor : state_dict.tensors) {
      const StorageBytes& storage = saved.storages.at(tensor.storage_key);
      if (!storage.crc || !done.insert(tensor.storage_key).second) continue;
      std::uint32_t crc = 0;
      for_each_piece(storage.data, [&](Bytes piece) {
        crc = crc32_of(piece, crc);
        release(piece);
      });
      if (crc == *storage.crc) continue;
      return CheckpointFailure(
          CheckpointError::bad_crc,
          "The checksum of the tensor " + in_quotes(tensor.name) + " does not match: the file is damaged.");
    }
    return std::nullopt;
  }
};

Checkpoint::Checkpoint(std::unique_ptr<State> state) : state_(std::move(state)) {}
Checkpoint::Checkpoint(Checkpoint&&) noexcept = default;
Checkpoint& Checkpoint::operator=(Checkpoint&&) noexcept = default;
Checkpoint::~Checkpoint() = default;

CheckpointResult<Checkpoint> Checkpoint::open(const std::filesystem::path& path, std::string_view weights) {
  MappedFile file = MappedFile::open(path).value_or_throw();
  const Bytes bytes = file.bytes();
  auto result = load(bytes, std::move(file), weights);
  if (!result)
    return CheckpointFailure(result.failure().kind, path.string() + ": " + result.failure().message);
  return result;
}

CheckpointResult<Checkpoint> Checkpoint::parse(Bytes bytes, std::string_view weights) {
  return load(bytes, MappedFile(), weights);
}

bool Checkpoint::has_signature(Bytes bytes) {
  return ZipArchive::has_signature(bytes) || has_legacy_magic(bytes);
}

CheckpointResult<Checkpoint> Checkpoint::load(Bytes bytes, MappedFile file, std::string_view weights) {
  auto saved = parse_saved_object(bytes);
  if (!saved) return saved.failure();
  auto state = std::make_unique<State>(State{std::move(file), *std::move(saved), {}, {}});
  const PickleValue root = state->saved.pickle.root();
  auto state_dict = read_state_dict(root, state->saved.storages, max_tensor_bytes(bytes.size()), weights);
  if (!state_dict) return state_dict.failure();
  state->state_dict = *std::move(state_dict);
  const std::string& place = state->state_dict.found_under;
  if (!place.empty()) state->other_keys = text_keys_except(root, place.substr(0, place.find('/')));
  if (auto failure = state->verify_storages()) return *std::move(failure);
  return Checkpoint(std::move(state));
}

const std::vector<StoredTensor>& Checkpoint::tensors() const {
  return state_->state_dict.tensors;
}

void Checkpoint::read(const StoredTensor& tensor, const ByteSink& sink) const {
  stream_elements(tensor, sink, [&](Bytes part) { state_->release(part); });
}

const std::string& Checkpoint::found_under() const {
  return state_->state_dict.found_under;
}

const std::vector<std::string>& Checkpoint::also_under() const {
  return state_->state_dict.also_under;
}

std::size_t Checkpoint::bytes_behind() const {
  return state_->saved.bytes_behind;
}

const std::vector<std::string>& Checkpoint::non_tensors() const {
  return state_->state_dict.non_tensors;
}

const std::vector<std::string>& Checkpoint::other_keys() const {
  return state_->other_keys;
}

PickleValue Checkpoint::root() const {
  return state_->saved.pickle.root();
}

std::optional<PickleValue> Checkpoint::meta() const {
  return root().find("meta");
}

}  // namespace tpn
