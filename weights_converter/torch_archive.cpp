#include "weights_converter/torch_archive.h"

#include <algorithm>
#include <string>
#include <utility>

#include "engine/model/text.h"

namespace tpn {
namespace {

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

CheckpointFailure no_checkpoint(std::string sentence) {
  return {CheckpointError::no_state_dict, std::move(sentence)};
}

/// The first entry whose name passes the test; nullptr when there is none.
template <class Test>
const ZipEntry* find_entry(const ZipArchive& archive, const Test& test) {
  const auto found = std::ranges::find_if(archive.entries(), test, &ZipEntry::name);
  return found == archive.entries().end() ? nullptr : &*found;
}

/// What a zip archive without data.pkl is.
std::string without_pickle(const ZipArchive& archive) {
  const auto ends_with = [](auto... ends) {
    return [=](std::string_view name) { return (name.ends_with(ends) || ...); };
  };
  if (const ZipEntry* const packed = find_entry(archive, ends_with(".pth", ".pt", ".ckpt", ".tar"))) {
    return "The file is a zip archive with " + in_quotes(packed->name) + " in it; unpack that first.";
  }
  if (find_entry(archive, ends_with(".npy")) != nullptr) {
    return "The file is a NumPy archive (.npz); PyTorch's checkpoints are needed.";
  }
  if (find_entry(archive, ends_with(".h5")) != nullptr) {
    return "The file is a Keras model; PyTorch's checkpoints are needed.";
  }
  return "The zip archive has no data.pkl; torch.save did not write it.";
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
  if (!archive) return archive.failure();
  const ZipEntry* const entry = find_pickle_entry(*archive);
  const std::string root = root_of(*archive);
  if (archive->find(root + "constants.pkl") != nullptr || find_entry(*archive, [&](std::string_view name) {
                                                            return name.starts_with(root + "code/");
                                                          }) != nullptr) {
    return no_checkpoint(
        "The file is a TorchScript archive, as torch.jit.save writes; save model.state_dict() "
        "with torch.save instead.");
  }
  if (entry == nullptr) return no_checkpoint(without_pickle(*archive));
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
