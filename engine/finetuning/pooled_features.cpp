#include "engine/finetuning/pooled_features.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "engine/model/output_file.h"
#include "kernels/digest.h"
#include "kernels/precision_info.h"

namespace tpn {
namespace {

constexpr std::string_view file_heading = "tpn pooled features 1\n";

/// Of all that features depend on but the file and the draws.
std::string network_digest(const Weights& weights, const ClipWork& work) {
  Digest digest;
  digest.add_field(to_json(weights.config())).add_field(std::string(name_of(work.precision)));
  digest.add_field(work.backend->memory_name());
  for (const SafetensorsFile::Entry& entry : weights.tensors().entries()) {
    if (!entry.name.starts_with("backbone.") && !entry.name.starts_with("neck.")) continue;
    const ConstTensorView view = weights.tensors().view(entry);
    digest.add_field(entry.name).add(std::span(view.data, entry.bytes));
    weights.tensors().release(entry);
  }
  const ClipOptions& clips = work.clips;
  digest.add_field(static_cast<int>(clips.augmentation))
      .add_field(clips.crop_size)
      .add_field(clips.short_side);
  return digest.text();
}

/// The place in the cache of a sample's features, all variants; none where the file cannot be told from
/// others.
std::optional<std::filesystem::path> cached_file(const std::filesystem::path& folder,
                                                 const ClipOptions& clips, const Sample& sample,
                                                 std::size_t position, std::size_t variants) {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::canonical(sample.path, error);
  if (error) return std::nullopt;
  const auto time = std::filesystem::last_write_time(path, error);
  const bool is_folder = std::filesystem::is_directory(path, error);
  const auto size = is_folder ? 0 : static_cast<std::int64_t>(std::filesystem::file_size(path, error));
  if (error) return std::nullopt;
  Digest digest;
  digest.add_field(path.string()).add_field(size).add_field(time.time_since_epoch().count());
  digest.add_field(sample.label).add_field(sample.frames).add_field(static_cast<std::int64_t>(variants));
  if (clips.augmentation != Augmentation::none) {
    digest.add_field(static_cast<std::int64_t>(clips.seed)).add_field(static_cast<std::int64_t>(position));
    for (const auto& [from, to] : clips.flip_labels) digest.add_field(from).add_field(to);
  }
  return folder / (digest.text() + ".features");
}

/// Heading, then for each variant its label (i64) and values (f32), then the digest of all that.
bool read_cached(const std::filesystem::path& path, std::size_t sample, std::size_t channels,
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

void write_cached(const std::filesystem::path& path, std::size_t sample, const PooledFeatures& features) {
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

/// Stretches of samples that are not known, each no longer than `most`: [first, second).
std::vector<std::pair<std::size_t, std::size_t>> missing_stretches(const std::vector<bool>& known,
                                                                   std::size_t most) {
  std::vector<std::pair<std::size_t, std::size_t>> stretches;
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (known[i]) continue;
    if (stretches.empty() || stretches.back().second != i || i - stretches.back().first == most) {
      stretches.emplace_back(i, i);
    }
    stretches.back().second = i + 1;
  }
  return stretches;
}

bool has_all_variants(const PooledFeatures& features, std::size_t sample) {
  for (std::size_t v = 0; v < features.variants(); ++v) {
    if (features.row(sample, v).values.empty()) return false;
  }
  return true;
}

}  // namespace

std::optional<PooledFeatures> pooled_features(const Weights& weights, const std::vector<Sample>& samples,
                                              std::size_t variants, const ClipWork& work,
                                              const std::optional<std::filesystem::path>& cache,
                                              const RankOf& share) {
  const auto channels = static_cast<std::size_t>(weights.config().head.in_channels);
  PooledFeatures features(samples.size(), variants);
  std::vector<std::optional<std::filesystem::path>> files(samples.size());
  std::vector<bool> known(samples.size());
  if (cache) {
    const std::filesystem::path folder = *cache / network_digest(weights, work);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      files[i] = cached_file(folder, work.clips, samples[i], i, variants);
      known[i] = files[i] && read_cached(*files[i], i, channels, features);
    }
  }
  const auto [first_own, end_of_own] = share.stretch(std::ssize(samples));
  std::fill(known.begin(), known.begin() + first_own, true);
  std::fill(known.begin() + end_of_own, known.end(), true);
  const auto missing = static_cast<std::size_t>(std::ranges::count(known, false));
  if (missing == 0) return features;

  TrainingLoader loader(samples, work.clips, work.workers, 0);
  ClipNetwork network(weights, ClipNetwork::Result::pooled, work);
  std::size_t done = 0;
  // After each stretch its features are kept, so that an interruption loses little.
  const std::size_t stretch = std::max<std::size_t>(64, 8 * static_cast<std::size_t>(work.batch));
  for (const auto& [first, end] : missing_stretches(known, stretch)) {
    std::vector<std::size_t> order(end);  // a sample's position, by which is drawn, is its index
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t variant = 0; variant < variants; ++variant) {
      loader.start(order, static_cast<std::int64_t>(variant), {.first = first, .stride = 1});
      for (std::size_t at = first; at < end;) {
        if (work.stop()) return std::nullopt;
        const ClipBatch batch = network.run(loader);
        for (std::size_t row = 0; row < batch.clips.size(); ++row) {
          const auto begin = batch.results.begin() + static_cast<std::ptrdiff_t>(row * channels);
          features.row(batch.clips[row].sample, variant) = {
              batch.clips[row].label,
              std::vector<float>(begin, begin + static_cast<std::ptrdiff_t>(channels))};
        }
        at += batch.taken;
        done += batch.taken;
        work.report(done, missing * variants);
      }
    }
    for (std::size_t i = first; i < end; ++i) {
      if (files[i] && has_all_variants(features, i)) write_cached(*files[i], i, features);
    }
  }
  return features;
}

void FeatureSource::start(const std::vector<std::size_t>& order, std::int64_t epoch,
                          const OrderShare& share) {
  order_ = order;
  share_ = share;
  variant_ = static_cast<std::size_t>(epoch) % features_.variants();
}

std::vector<LoadedClip> FeatureSource::next(Trainer& trainer, std::int64_t count) {
  std::vector<LoadedClip> clips;
  for (; count > 0; --count, share_.first += share_.stride) {
    const PooledFeatures::Row& row = features_.row(order_.at(share_.first), variant_);
    if (!row.values.empty()) clips.push_back({.sample = order_[share_.first], .label = row.label});
  }
  if (clips.empty()) return clips;
  auto* to = reinterpret_cast<float*>(trainer.views(std::ssize(clips)).data);
  for (const LoadedClip& clip : clips)
    to = std::ranges::copy(features_.row(clip.sample, variant_).values, to).out;
  return clips;
}

}  // namespace tpn
