// From a model file back to a PyTorch checkpoint.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace tpn {

struct ExportReport {
  std::size_t tensors = 0;
  std::vector<std::string> notes;  ///< what mmaction2 will do differently, as sentences
};

/// Writes {'meta': ..., 'state_dict': ...} in torch's zip format: mmaction2's names, shapes and the stored
/// dtypes, so that torch.load(weights_only=True) reads it and mmaction2 loads it strictly. The configuration
/// and the labels go into `meta`, from where convert_checkpoint() takes them. Throws Error when the model
/// file is not complete or `out` cannot be written; nothing is left of it then.
ExportReport export_pth(const std::filesystem::path& model, const std::filesystem::path& out);

}  // namespace tpn
