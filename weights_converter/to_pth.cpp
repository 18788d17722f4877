#include "weights_converter/to_pth.h"

#include <algorithm>

#include "engine/model/mapped_file.h"
#include "engine/model/model_file.h"
#include "engine/model/output_file.h"
#include "engine/networks/network.h"
#include "weights_converter/pickle_writer.h"
#include "weights_converter/pieces.h"
#include "weights_converter/zip_writer.h"

namespace tpn {
namespace {

/// The model's tensors in the order of its state_dict.
std::vector<const SafetensorsFile::Entry*> state_dict_entries(const ModelFile& model,
                                                              const std::filesystem::path& path) {
  std::vector<const SafetensorsFile::Entry*> entries;
  for (const ParameterSpec& spec : parameter_specs(model.config)) {
    const SafetensorsFile::Entry* entry = model.tensors.find(spec.name);
    if (entry == nullptr) {
      if (spec.kind == ParameterKind::bn_batches) continue;
      throw Error(path.string() + " has no tensor " + spec.name + " of shape " + to_string(spec.shape) + ".");
    }
    if (!(entry->shape == spec.shape)) {
      throw Error(path.string() + ": the tensor " + spec.name + " has shape " + to_string(entry->shape) +
                  "; the model needs " + to_string(spec.shape) + ".");
    }
    entries.push_back(entry);
  }
  return entries;
}

std::string make_pickle(const ModelFile& model, const std::vector<const SafetensorsFile::Entry*>& entries) {
  PickleWriter pickle;
  pickle.empty_dictionary();
  pickle.mark();

  pickle.text("meta");
  pickle.empty_dictionary();
  pickle.mark();
  pickle.text("tpn_config");
  pickle.text(to_json(model.config));
  if (!model.labels.empty()) {
    pickle.text("dataset_meta");
    pickle.empty_dictionary();
    pickle.mark();
    pickle.text("classes");
    pickle.mark();
    for (const std::string& label : model.labels) pickle.text(label);
    pickle.close_tuple();
    pickle.set_items();
  }
  pickle.set_items();

  pickle.text("state_dict");
  pickle.ordered_dictionary();
  pickle.mark();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    pickle.text(entries[i]->name);
    pickle.tensor(std::to_string(i), entries[i]->dtype, entries[i]->shape);
  }
  pickle.set_items();

  pickle.set_items();
  return pickle.finish();
}

/// Writes a tensor's bytes and gives its pages back piece by piece.
void write_tensor(ZipWriter& zip, const ConstTensorView& view) {
  for_each_piece({view.data, view.bytes()}, [&](std::span<const std::byte> piece) {
    zip.write(piece);
    release_pages(piece);
  });
}

std::vector<std::string> differences_in_mmaction2(const Config& config) {
  std::vector<std::string> notes;
  if (config.backbone.dims == 2 && config.backbone.tsm_position == TsmPosition::inplace) {
    notes.emplace_back(
        "The model shifts the shortcut too (tsm_position inplace); mmaction2 does not, so its scores will "
        "differ.");
  }
  if (config.neck.pyramid_channels != 2048) {
    notes.emplace_back("mmaction2's neck always has 2048 output channels; this model has " +
                       std::to_string(config.neck.pyramid_channels) + " and will not load there.");
  }
  return notes;
}

}  // namespace

ExportReport export_pth(const std::filesystem::path& model_path, const std::filesystem::path& out) {
  const ModelFile model = open_model_file(model_path);
  const auto entries = state_dict_entries(model, model_path);
  OutputFile file(out);
  ZipWriter zip([&](std::span<const std::byte> bytes) { file.write(bytes); });
  const std::string root = "archive/";
  zip.begin_entry(root + "data.pkl");
  zip.write(make_pickle(model, entries));
  zip.begin_entry(root + "byteorder");
  zip.write("little");
  for (std::size_t i = 0; i < entries.size(); ++i) {
    zip.begin_entry(root + "data/" + std::to_string(i));
    write_tensor(zip, model.tensors.view(*entries[i]));
  }
  zip.begin_entry(root + "version");
  zip.write("3\n");
  zip.finish();
  file.commit();
  return {entries.size(), differences_in_mmaction2(model.config)};
}

}  // namespace tpn
