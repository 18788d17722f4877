#include "engine/finetuning/feature_files.h"

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "engine/finetuning/pooled_features.h"
#include "engine/model/output_file.h"
#include "kernels/precision_info.h"

namespace tpn {
namespace {

constexpr std::string_view file_heading = "tpn pooled features 1\n";

}  // namespace

FeatureCache::FeatureCache(std::filesystem::path its_folder, const Weights& weights)
    : folder(std::move(its_folder)) {
  network.add_field(to_json(weights.config()));
  for (const SafetensorsFile::Entry& entry : weights.tensors().entries()) {
    if (!entry.name.starts_with("backbone.") && !entry.name.starts_with("neck.")) continue;
    const ConstTensorView view = weights.tensors().view(entry);
    network.add_field(entry.name).add(std::span(view.data, entry.bytes));
    weights.tensors().release(entry);
  }
}

FeatureFiles::FeatureFiles(const FeatureCache& cache, Precision precision, const std::string& memory,
                           const Digest& clips) {
  Digest digest = cache.network;
  digest.add_field(std::string(name_of(precision))).add_field(memory).add_field(clips.text());
  folder_ = cache.folder / digest.text();
}

std::optional<std::filesystem::path> FeatureFiles::file_of(const Sample& sample, Digest draws) const {
  if (!folder_) return std::nullopt;
  std::error_code error;
  const std::filesystem::path path = std::filesystem::canonical(sample.path, error);
  if (error) return std::nullopt;
  const auto time = std::filesystem::last_write_time(path, error);
  const bool is_folder = std::filesystem::is_directory(path, error);
  const auto size = is_folder ? 0 : static_cast<std::int64_t>(std::filesystem::file_size(path, error));
  if (error) return std::nullopt;
  draws.add_field(path.string()).add_field(size).add_field(time.time_since_epoch().count());
  draws.add_field(sample.label).add_field(sample.frames);
  return *folder_ / (draws.text() + ".features");
}

// Heading, then for each variant its label (i64) and values (f32), then the digest of all that.
bool FeatureFiles::read(const std::filesystem::path& path, std::size_t sample, std::size_t channels,
                        PooledFeatures& features) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  constexpr std::size_t digest_size = 16;
  const std::size_t row = sizeof(std::int64_t) + channels * sizeof(float);
  const std::size_t body = file_heading.size() + features.variants() * row;
  if (text.size() != body + digest_size || !text.starts_with(file_heading)) return false;
  const std::string_view whole = text;
  if (Digest().add(whole.substr(0, body)).text() != whole.substr(body)) return false;
  for (std::size_t v = 0; v < features.variants(); ++v) {
    const char* at = text.data() + file_heading.size() + v * row;
    PooledFeatures::Row& to = features.row(sample, v);
    to.values.resize(channels);
    std::memcpy(&to.label, at, sizeof to.label);
    std::memcpy(to.values.data(), at + sizeof to.label, channels * sizeof(float));
  }
  return true;
}

void FeatureFiles::write(const std::filesystem::path& path, std::size_t sample,
                         const PooledFeatures& features) {
  std::string text(file_heading);
  const auto append = [&text](const void* data, std::size_t bytes) {
    text.append(static_cast<const char*>(data), bytes);
  };
  for (std::size_t v = 0; v < features.variants(); ++v) {
    const PooledFeatures::Row& row = features.row(sample, v);
    append(&row.label, sizeof row.label);
    append(row.values.data(), row.values.size() * sizeof(float));
  }
  text += Digest().add(text).text();
  try {
    std::filesystem::create_directories(path.parent_path());
    OutputFile file(path);
    file.write(text);
    file.commit();
  } catch (const std::filesystem::filesystem_error&) {  // the next run computes them again
  } catch (const OutputError&) {                        // so here
  }
}

}  // namespace tpn
