#include "weights_converter/torch_archive.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/model/text.h"

namespace tpn {
namespace {

CheckpointFailure no_checkpoint(std::string sentence) {
  return {CheckpointError::no_state_dict, std::move(sentence)};
}

/// What a zip archive is that torch.save did not write, by the names of its entries; nothing when they do not
/// tell.
std::optional<CheckpointFailure> foreign_archive(const std::vector<std::string_view>& names) {
  const auto find = [&](const auto& test) {
    const auto found = std::ranges::find_if(names, test);
    return found == names.end() ? std::string_view() : *found;
  };
  const auto ends_with = [](auto... ends) {
    return [=](std::string_view name) { return (name.ends_with(ends) || ...); };
  };
  const auto is_script = [](std::string_view name) {
    return name.ends_with("/constants.pkl") || name.find("/code/__torch__") != std::string_view::npos;
  };
  if (!find(is_script).empty()) {
    return no_checkpoint(
        "The file is a TorchScript archive, as torch.jit.save writes; save model.state_dict() "
        "with torch.save instead.");
  }
  if (!find(ends_with("data.pkl")).empty()) return std::nullopt;
  if (const auto packed = find(ends_with(".pth", ".pt", ".ckpt", ".tar")); !packed.empty()) {
    return no_checkpoint("The file is a zip archive with " + in_quotes(packed) +
                         " in it; unpack that first.");
  }
  if (!find(ends_with(".npy")).empty()) {
    return no_checkpoint("The file is a NumPy archive (.npz); PyTorch's checkpoints are needed.");
  }
  if (!find(ends_with(".h5")).empty()) {
    return no_checkpoint("The file is a Keras model; PyTorch's checkpoints are needed.");
  }
  return std::nullopt;
}

/// The folder of the first entry, with its '/', as torch finds it.
std::string root_of(const ZipArchive& archive) {
  if (archive.entries().empty()) return {};
  const std::string_view first = archive.entries().front().name;
  return std::string(first.substr(0, first.find('/') + 1));
}

std::optional<CheckpointFailure> check_byte_order(const ZipArchive& archive, const std::string& root) {
  const ZipEntry* const entry = archive.find(root + "byteorder");
  if (entry == nullptr || as_text(entry->data) == "little") return std::nullopt;
  return CheckpointFailure(
      CheckpointError::unsupported_byteorder,
      "The checkpoint's byte order is " + in_quotes(as_text(entry->data)) + " instead of 'little'.");
}

}  // namespace

const ZipEntry* find_pickle_entry(const ZipArchive& archive) {
  return archive.find(root_of(archive) + "data.pkl");
}

CheckpointResult<SavedObject> parse_torch_archive(std::span<const std::byte> bytes) {
  const auto archive = ZipArchive::parse(bytes);
  if (auto foreign = foreign_archive(ZipArchive::list_names(bytes))) return *std::move(foreign);
  if (!archive) return archive.failure();
  const ZipEntry* const entry = find_pickle_entry(*archive);
  if (entry == nullptr) return no_checkpoint("The zip archive has no data.pkl; torch.save did not write it.");
  const std::string root = root_of(*archive);
  if (auto failure = check_byte_order(*archive, root)) return *std::move(failure);
  if (crc32_of(entry->data) != entry->crc) {
    return CheckpointFailure(CheckpointError::bad_crc, "The checksum of " + in_quotes(entry->name) +
                                                           " does not match: the file is damaged.");
  }
  auto pickle = Pickle::parse(entry->data);
  if (!pickle) {
    // The archive is whole, so a stream that ends early was written so.
    CheckpointFailure failure = pickle.failure();
    if (failure.kind == CheckpointError::truncated) failure.kind = CheckpointError::bad_pickle;
    return failure;
  }
  SavedObject saved{*std::move(pickle), {}, archive->bytes_behind()};
  const std::string folder = root + "data/";
  for (const ZipEntry& stored : archive->entries()) {
    if (stored.name.substr(0, folder.size()) != folder) continue;
    saved.storages.emplace(stored.name.substr(folder.size()), StorageBytes{stored.data, stored.crc});
  }
  return saved;
}

}  // namespace tpn
