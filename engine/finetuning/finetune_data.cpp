#include "engine/finetuning/finetune_data.h"

#include <algorithm>
#include <set>
#include <utility>

#include "engine/data/check_samples.h"
#include "engine/model/labels.h"
#include "kernels/digest.h"
#include "kernels/error.h"

namespace tpn {
namespace {

constexpr std::size_t most_faults = 20;

RawFrameNames raw_frames(const Recipe& recipe) {
  return {.pattern = recipe.filename_template};
}

void drop(SampleList& list, const std::set<std::size_t>& bad) {
  std::vector<Sample> kept;
  for (std::size_t i = 0; i < list.samples.size(); ++i) {
    if (!bad.contains(i)) kept.push_back(std::move(list.samples[i]));
  }
  list.samples = std::move(kept);
  list.faults.clear();
}

}  // namespace

std::string FinetuneData::digest() const {
  Digest digest;
  const auto add = [&](const SampleList& list) {
    for (const std::string& name : list.classes) digest.add_field(name);
    digest.add_field(static_cast<std::int64_t>(list.samples.size()));
    for (const Sample& sample : list.samples) digest.add_field(sample.path.string()).add_field(sample.label);
  };
  add(train);
  if (validation) add(*validation);
  return digest.text();
}

std::vector<std::int64_t> labels_of(const SampleList& list) {
  std::vector<std::int64_t> labels;
  labels.reserve(list.samples.size());
  for (const Sample& sample : list.samples) labels.push_back(sample.label);
  return labels;
}

std::vector<std::int64_t> count_labels(std::span<const std::int64_t> labels, std::int64_t classes) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(classes));
  for (const std::int64_t label : labels) ++counts[static_cast<std::size_t>(label)];
  return counts;
}

FinetuneData read_data(const Recipe& recipe) {
  SampleListOptions options{.root = recipe.root, .raw_frames = raw_frames(recipe)};
  if (!recipe.labels.empty()) options.classes = load_labels(recipe.labels);
  FinetuneData data;
  data.train = read_sample_list(recipe.train, options);
  data.warnings = data.train.warnings;
  if (!recipe.val.empty()) {
    options.classes = data.train.classes;
    data.validation = read_sample_list(recipe.val, options);
    data.warnings.insert(data.warnings.end(), data.validation->warnings.begin(),
                         data.validation->warnings.end());
  }
  data.classes = class_count(data.train);
  return data;
}

void check_data(FinetuneData& data, const Recipe& recipe, int threads,
                const std::function<void(std::size_t done, std::size_t of)>& progress) {
  CheckOptions options;
  options.classes = data.classes;
  options.raw_frames = raw_frames(recipe);
  options.threads = threads;
  options.progress = progress;
  const std::vector<SampleFault> faults =
      check_samples(data.train, data.validation ? &*data.validation : nullptr, options);
  std::set<std::size_t> bad_train, bad_validation;
  std::string fatal;
  std::size_t fatal_count = 0;
  for (const SampleFault& fault : faults) {
    if (recipe.skip_bad && fault.skippable) {
      data.skipped.push_back(fault.message);
      if (fault.sample) (fault.in_validation ? bad_validation : bad_train).insert(*fault.sample);
      continue;
    }
    if (++fatal_count <= most_faults) fatal += (fatal.empty() ? "" : "\n") + fault.message;
  }
  if (fatal_count > most_faults) {
    fatal += "\nand " + std::to_string(fatal_count - most_faults) + " more of the kind.";
  }
  if (!fatal.empty()) throw OptionError(fatal);
  drop(data.train, bad_train);
  if (data.validation) drop(*data.validation, bad_validation);
  if (data.train.samples.empty())
    throw OptionError(data.train.name + " has no clip that can be learned from.");
  if (data.validation && data.validation->samples.empty()) {
    throw OptionError(data.validation->name + " has no clip that can be read.");
  }
}

}  // namespace tpn
