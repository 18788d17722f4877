#include "engine/finetuning/checkpoint.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "engine/model/output_file.h"
#include "engine/networks/initialize.h"
#include "kernels/convert.h"

namespace tpn {
namespace {

constexpr std::string_view run_key = "tpn.run";

using ByteSink = std::function<void(std::span<const std::byte>)>;

void put(std::span<const float> values, const ByteSink& sink) {
  sink(std::as_bytes(values));
}

SafetensorsOutput floats(std::string name, const Shape& shape, std::function<std::vector<float>()> values) {
  return {std::move(name), DType::f32, shape,
          [values = std::move(values)](const ByteSink& sink) { put(values(), sink); }};
}

std::vector<float> values_in(const Weights& file, const SafetensorsFile::Entry& entry) {
  std::vector<float> values = to_floats(file.tensors().view(entry));
  file.tensors().release(entry);
  return values;
}

/// A parameter as a file has it; a count that it lacks is 0.
SafetensorsOutput stored(const Weights& file, const ParameterSpec& spec) {
  if (spec.kind == ParameterKind::bn_batches) {
    return {spec.name, DType::i64, spec.shape, [&file, name = spec.name](const ByteSink& sink) {
              const SafetensorsFile::Entry* entry = file.tensors().find(name);
              std::int64_t count = 0;
              if (entry != nullptr && entry->dtype == DType::i64 && entry->shape.count() == 1) {
                count = *reinterpret_cast<const std::int64_t*>(file.tensors().view(*entry).data);
              }
              sink(std::as_bytes(std::span(&count, 1)));
            }};
  }
  return floats(spec.name, spec.shape, [&file, spec] {
    (void)file.parameter(spec.name, spec.shape);  // there, and finite
    return values_in(file, *file.tensors().find(spec.name));
  });
}

SafetensorsOutput held(const Trainer& trainer, const std::string& name, const TensorSpec& spec) {
  const auto produce = [&trainer, name](const ByteSink& sink) {
    trainer.store().visit(name, [&](const ConstTensorView& values) { sink({values.data, values.bytes()}); });
  };
  return {name, spec.dtype, spec.shape, produce};
}

/// Of a parameter's average; null when there is none.
const PersistentTensor* average_of(const Trainer& trainer, std::string_view parameter) {
  const auto found =
      std::ranges::find(trainer.persistent(), average_name(parameter), &PersistentTensor::name);
  return found == trainer.persistent().end() ? nullptr : &*found;
}

/// Every tensor of the model, as it is by now.
std::vector<SafetensorsOutput> tensors_now(const Weights& start, const Trainer& trainer) {
  std::map<std::string, TensorSpec, std::less<>> specs;
  for (const PersistentTensor& tensor : trainer.persistent()) specs[tensor.name] = tensor.spec;
  std::vector<SafetensorsOutput> outputs;
  for (const ParameterSpec& spec : parameter_specs(start.config())) {
    const auto found = specs.find(spec.name);
    outputs.push_back(found == specs.end() ? stored(start, spec) : held(trainer, spec.name, found->second));
  }
  return outputs;
}

void write_durably(const std::filesystem::path& path, const std::map<std::string, std::string>& metadata,
                   std::span<const SafetensorsOutput> outputs) {
  OutputFile file(path);
  file.make_durable();
  write_safetensors(file, metadata, outputs);
}

/// For each new class the old one of that name.
std::vector<std::optional<std::size_t>> known_classes(const std::vector<std::string>& before,
                                                      const std::vector<std::string>& now) {
  std::vector<std::optional<std::size_t>> rows(now.size());
  for (std::size_t i = 0; i < now.size(); ++i) {
    const auto found = std::ranges::find(before, now[i]);
    if (found != before.end()) rows[i] = static_cast<std::size_t>(found - before.begin());
  }
  return rows;
}

std::vector<float> random_values(const ParameterSpec& spec, const Config& config, std::int64_t seed) {
  std::vector<float> values;
  initialize_parameter(spec, config, Initialization::from_scratch, static_cast<std::uint64_t>(seed),
                       [&](std::span<const std::byte> bytes) {
                         const auto* begin = reinterpret_cast<const float*>(bytes.data());
                         values.insert(values.end(), begin, begin + bytes.size() / sizeof(float));
                       });
  return values;
}

/// A classifier's parameter, (K, ...) for the new classes: rows of classes that a file knows are from there.
std::vector<float> resized(const Weights& known_from, const ParameterSpec& spec,
                           const ClassifierChange& change, std::int64_t seed) {
  std::vector<float> values = random_values(spec, change.config, seed);
  const SafetensorsFile::Entry* entry = known_from.tensors().find(spec.name);
  if (entry == nullptr || change.kept_rows == 0) return values;
  const std::vector<float> before = values_in(known_from, *entry);
  const std::size_t row = values.size() / static_cast<std::size_t>(spec.shape[0]);
  const auto known = known_classes(known_from.labels(), change.labels);
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (known[i])
      std::copy_n(before.begin() + static_cast<std::ptrdiff_t>(*known[i] * row), row,
                  values.begin() + static_cast<std::ptrdiff_t>(i * row));
  }
  return values;
}

/// Of the text of "tpn.source", which ought to be JSON.
std::string source_after_training(const Weights& model, const Recipe& recipe) {
  nlohmann::ordered_json source = {
      {"fine-tuned from", std::filesystem::path(recipe.model).filename().string()}};
  const auto before = nlohmann::ordered_json::parse(model.source(), nullptr, false);
  if (!before.is_discarded()) source["its source"] = before;
  return source.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

const Weights& InitialWeights::of(const ParameterSpec& spec) const {
  if (preferred == nullptr) return *model;
  const SafetensorsFile::Entry* entry = preferred->tensors().find(spec.name);
  return entry != nullptr && entry->shape == spec.shape ? *preferred : *model;
}

const Weights& InitialWeights::of_classes() const {
  const bool fits =
      preferred != nullptr && preferred->config().head.in_channels == model->config().head.in_channels;
  return fits ? *preferred : *model;
}

ClassifierChange change_of_classifier(const InitialWeights& initial, std::int64_t classes,
                                      const std::vector<std::string>& labels) {
  const Weights& model = *initial.model;
  ClassifierChange change{model.config(), labels, false, 0};
  const std::int64_t before = model.config().head.num_classes;
  if (labels.empty() && classes <= before) {
    change.labels = model.labels();
    return change;
  }
  if (classes == before && (labels == model.labels() || model.labels().empty())) return change;
  change.resized = true;
  change.config.head.num_classes = static_cast<int>(classes);
  if (change.config.neck.aux_head) change.config.neck.aux_head->out_channels = static_cast<int>(classes);
  const auto known = known_classes(initial.of_classes().labels(), labels);
  change.kept_rows =
      static_cast<int>(std::ranges::count_if(known, [](const auto& row) { return row.has_value(); }));
  return change;
}

void write_first_checkpoint(const InitialWeights& initial, const ClassifierChange& change,
                            const RunState& state, const std::filesystem::path& path) {
  const std::int64_t seed = state.recipe.seed;
  std::vector<SafetensorsOutput> outputs;
  for (const ParameterSpec& spec : parameter_specs(change.config)) {
    const bool classifies = spec.kind == ParameterKind::fc_weight || spec.kind == ParameterKind::fc_bias;
    const Weights& from = initial.of(spec);
    const bool lacking = spec.training_only && from.tensors().find(spec.name) == nullptr;
    const bool anew = state.recipe.init == start::scratch || lacking;
    if (spec.kind == ParameterKind::bn_batches && anew) {
      outputs.push_back({spec.name, DType::i64, spec.shape, [](const ByteSink& sink) {
                           const std::int64_t none = 0;
                           sink(std::as_bytes(std::span(&none, 1)));
                         }});
    } else if (anew) {
      outputs.push_back(
          floats(spec.name, spec.shape, [&, spec] { return random_values(spec, change.config, seed); }));
    } else if (classifies && change.resized) {
      outputs.push_back(floats(spec.name, spec.shape,
                               [&, spec] { return resized(initial.of_classes(), spec, change, seed); }));
    } else {
      outputs.push_back(stored(from, spec));
    }
  }
  auto metadata =
      model_metadata(change.config, change.labels, source_after_training(*initial.model, state.recipe));
  metadata[std::string(run_key)] = to_json(state);
  write_durably(path, metadata, outputs);
}

void write_checkpoint(const Weights& start, const Trainer& trainer, const RunState& state,
                      const std::filesystem::path& path) {
  std::vector<SafetensorsOutput> outputs = tensors_now(start, trainer);
  for (const PersistentTensor& tensor : trainer.persistent()) {
    if (tensor.role == Role::state) outputs.push_back(held(trainer, tensor.name, tensor.spec));
  }
  auto metadata = model_metadata(start.config(), start.labels(), start.source());
  metadata[std::string(run_key)] = to_json(state);
  write_durably(path, metadata, outputs);
}

void write_model(const Weights& start, const Trainer& trainer, const std::filesystem::path& path) {
  std::vector<SafetensorsOutput> outputs = tensors_now(start, trainer);
  for (SafetensorsOutput& output : outputs) {
    const PersistentTensor* average = average_of(trainer, output.name);
    if (average != nullptr) output.produce = held(trainer, average->name, average->spec).produce;
  }
  write_durably(path, model_metadata(start.config(), start.labels(), start.source()), outputs);
}

std::vector<float> learned_values(const Trainer& trainer, const std::string& parameter, const Shape& shape) {
  const PersistentTensor* average = average_of(trainer, parameter);
  std::vector<float> values(static_cast<std::size_t>(shape.count()));
  trainer.store().read(average != nullptr ? average->name : parameter,
                       {reinterpret_cast<std::byte*>(values.data()), DType::f32, shape});
  return values;
}

RunState run_state_of(const Weights& checkpoint, const std::string& name) {
  const auto found = checkpoint.tensors().metadata().find(std::string(run_key));
  if (found == checkpoint.tensors().metadata().end()) {
    throw Error(name + " is a model, and no checkpoint of a run that could go on.");
  }
  return parse_run_state(found->second, name);
}

void restore(const Weights& checkpoint, const RunState& state, Trainer& trainer) {
  for (const PersistentTensor& tensor : trainer.persistent()) {
    if (tensor.role != Role::state || state.steps == 0) continue;
    trainer.store().write(tensor.name, checkpoint.parameter(tensor.name, tensor.spec.shape).view);
  }
  trainer.resume(state.steps);
}

}  // namespace tpn
