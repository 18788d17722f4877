// A PyTorch checkpoint (.pth), opened for reading. Nothing in the file is executed.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/mapped_file.h"
#include "weights_converter/failure.h"
#include "weights_converter/pickle.h"
#include "weights_converter/stored_tensor.h"

namespace tpn {

class Checkpoint {
 public:
  /// Maps the file, finds its tensors (under `weights`, where not empty: see find_weights()) and checks all
  /// of it: archive, pickle, every tensor against its storage, and the CRC-32 of every byte that is used.
  /// Failures name the file. Throws Error when the file cannot be opened or mapped.
  static CheckpointResult<Checkpoint> open(const std::filesystem::path& path, std::string_view weights = {});

  /// The same for bytes in memory, which must outlive the checkpoint.
  static CheckpointResult<Checkpoint> parse(std::span<const std::byte> bytes, std::string_view weights = {});

  /// Whether the bytes begin as a file of torch.save does; what follows may still be damaged.
  static bool has_signature(std::span<const std::byte> bytes);

  Checkpoint(Checkpoint&&) noexcept;
  Checkpoint& operator=(Checkpoint&&) noexcept;
  ~Checkpoint();

  /// In file order, at least one. Values are not looked at: NaN passes.
  [[nodiscard]] const std::vector<StoredTensor>& tensors() const;

  /// Hands the tensor's elements to the sink as stream_elements() does, and gives its pages of the mapped
  /// file back as it goes.
  void read(const StoredTensor& tensor, const ByteSink& sink) const;

  /// The keys the tensors were found under, joined by '/': "state_dict", "ema/module"; empty when they are
  /// the file's own entries.
  [[nodiscard]] const std::string& found_under() const;
  /// Where else dictionaries of tensors are.
  [[nodiscard]] const std::vector<std::string>& also_under() const;
  /// Bytes of the file behind what torch.save wrote.
  [[nodiscard]] std::size_t bytes_behind() const;
  /// Keys beside the tensors whose values are no tensors.
  [[nodiscard]] const std::vector<std::string>& non_tensors() const;
  /// The file's other top-level keys: "meta", "optimizer", "message_hub", ...; empty when found_under() is.
  [[nodiscard]] const std::vector<std::string>& other_keys() const;

  /// What was saved, as inert data; valid as long as the checkpoint.
  [[nodiscard]] PickleValue root() const;
  /// Its entry "meta", where mmengine and mmcv keep configuration, epoch and versions.
  [[nodiscard]] std::optional<PickleValue> meta() const;

 private:
  struct State;
  explicit Checkpoint(std::unique_ptr<State> state);
  static CheckpointResult<Checkpoint> load(std::span<const std::byte> bytes, MappedFile file,
                                           std::string_view weights);
  std::unique_ptr<State> state_;
};

}  // namespace tpn
