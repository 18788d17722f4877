#include "weights_converter/convert.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <future>

#include <nlohmann/json.hpp>

#include "engine/model/labels.h"
#include "engine/model/model_file.h"
#include "engine/model/text.h"
#include "engine/networks/initialize.h"
#include "kernels/convert.h"
#include "weights_converter/architecture.h"
#include "weights_converter/inventory.h"
#include "weights_converter/sha256.h"

namespace tpn {
namespace {

/// Carries a failure out of a producer, through the writer.
class Refusal : public Error {
 public:
  explicit Refusal(CheckpointFailure failure) : Error(failure.message), failure_(std::move(failure)) {}
  [[nodiscard]] const CheckpointFailure& failure() const { return failure_; }

 private:
  CheckpointFailure failure_;
};

/// Whether an exponent is all ones anywhere: NaN or infinity.
template <class Bits>
bool has_nonfinite(std::span<const std::byte> bytes, Bits exponent) {
  const auto* const first = reinterpret_cast<const Bits*>(bytes.data());
  bool found = false;  // no early end, so that the loop is vectorised
  for (std::size_t i = 0; i < bytes.size() / sizeof(Bits); ++i) found |= (first[i] & exponent) == exponent;
  return found;
}

bool has_nonfinite(std::span<const std::byte> bytes, DType dtype) {
  switch (dtype) {
    case DType::f32:
      return has_nonfinite<std::uint32_t>(bytes, 0x7f800000U);
    case DType::bf16:
      return has_nonfinite<std::uint16_t>(bytes, 0x7f80U);
    case DType::f16:
      return has_nonfinite<std::uint16_t>(bytes, 0x7c00U);
    default:
      return false;
  }
}

template <class Integer>
std::int64_t read_integer(const std::byte* at) {
  Integer value{};
  std::memcpy(&value, at, sizeof(value));
  return value;
}

std::int64_t integer_at(const std::byte* at, DType dtype) {
  switch (dtype) {
    case DType::i32:
      return read_integer<std::int32_t>(at);
    case DType::i16:
      return read_integer<std::int16_t>(at);
    case DType::i8:
      return read_integer<std::int8_t>(at);
    case DType::u8:
      return read_integer<std::uint8_t>(at);
    default:
      return read_integer<std::int64_t>(at);
  }
}

/// Converts, repeats and checks the elements of one parameter on their way from the checkpoint to the file.
class ElementPipe {
 public:
  ElementPipe(const ParameterSource& source, DType target, const ByteSink& sink)
      : source_(source), target_(target), sink_(sink) {}

  void operator()(std::span<const std::byte> piece) {
    const DType from = source_.tensor->dtype;
    if (target_ == DType::i64) return sink_(from == target_ ? piece : count_of(piece, from));
    if (source_.repeat != 1) {
      piece = repeat(piece, from);
      piece = convert_elements(piece, DType::f32);
    } else if (from != target_) {
      piece = convert_elements(piece, from);
    }
    if (has_nonfinite(piece, target_)) {
      throw Refusal({CheckpointError::nonfinite, "The tensor " + in_quotes(source_.tensor->name) +
                                                     " holds a NaN, an infinity, or a value too large for " +
                                                     std::string(name_of(target_)) + "."});
    }
    sink_(piece);
  }

 private:
  std::span<const std::byte> repeat(std::span<const std::byte> piece, DType from) {
    const std::size_t count = piece.size() / size_of(from);
    std::vector<float> single(count);
    convert(piece.data(), from, reinterpret_cast<std::byte*>(single.data()), DType::f32, count);
    repeated_.clear();
    for (const float value : single) {
      repeated_.insert(repeated_.end(), static_cast<std::size_t>(source_.repeat),
                       value / static_cast<float>(source_.repeat));
    }
    return std::as_bytes(std::span(repeated_));
  }

  /// A num_batches_tracked of another type: averaging of weights leaves fractions, which say nothing.
  std::span<const std::byte> count_of(std::span<const std::byte> piece, DType from) {
    std::int64_t count = 0;
    if (is_floating(from)) {
      double value = 0;
      convert(piece.data(), from, reinterpret_cast<std::byte*>(&value), DType::f64, 1);
      constexpr double limit = 0x1p62;
      if (!(std::abs(value) < limit)) {
        throw Refusal({CheckpointError::nonfinite,
                       "The tensor " + in_quotes(source_.tensor->name) + " holds no number of batches."});
      }
      count = static_cast<std::int64_t>(value);
    } else {
      count = integer_at(piece.data(), from);
    }
    converted_.resize(sizeof(count));
    std::memcpy(converted_.data(), &count, sizeof(count));
    return converted_;
  }

  std::span<const std::byte> convert_elements(std::span<const std::byte> piece, DType from) {
    const std::size_t count = piece.size() / size_of(from);
    converted_.resize(count * size_of(target_));
    convert(piece.data(), from, converted_.data(), target_, count);
    return converted_;
  }

  const ParameterSource& source_;
  DType target_;
  const ByteSink& sink_;
  std::vector<float> repeated_;
  std::vector<std::byte> converted_;
};

/// A parameter that is not in the checkpoint.
void produce_missing(const ParameterSpec& spec, const Config& config, const ConvertOptions& options,
                     const ByteSink& sink) {
  if (options.dtype == DType::f32 || spec.kind == ParameterKind::bn_batches) {
    return initialize_parameter(spec, config, Initialization::from_scratch, options.seed, sink);
  }
  std::vector<std::byte> converted;
  initialize_parameter(spec, config, Initialization::from_scratch, options.seed,
                       [&](std::span<const std::byte> piece) {
                         const std::size_t count = piece.size() / sizeof(float);
                         converted.resize(count * size_of(options.dtype));
                         convert(piece.data(), DType::f32, converted.data(), options.dtype, count);
                         sink(converted);
                       });
}

std::vector<SafetensorsOutput> make_outputs(const Checkpoint& checkpoint, const Inventory& inventory,
                                            const Config& config, const ConvertOptions& options) {
  std::vector<SafetensorsOutput> outputs;
  for (const ParameterSource& source : inventory.parameters) {
    const DType dtype = source.spec.kind == ParameterKind::bn_batches ? DType::i64 : options.dtype;
    outputs.push_back({source.spec.name, dtype, source.spec.shape, [&, dtype](const ByteSink& sink) {
                         if (source.tensor == nullptr) {
                           produce_missing(source.spec, config, options, sink);
                         } else {
                           ElementPipe pipe(source, dtype, sink);
                           checkpoint.read(*source.tensor,
                                           [&](std::span<const std::byte> piece) { pipe(piece); });
                         }
                       }});
  }
  return outputs;
}

void choose_labels(ConvertReport& report, const ConvertOptions& options, const MetadataConfig& metadata) {
  const int classes = report.config.head.num_classes;
  const auto fits = [&](const std::vector<std::string>& labels) {
    return labels.size() == static_cast<std::size_t>(classes);
  };
  const auto choose = [&](const std::vector<std::string>& labels, std::string from) {
    report.labels = labels;
    report.labels_from = std::move(from);
  };
  constexpr int something_something_classes = 174;
  if (options.labels) {
    if (!options.labels->empty() && !fits(*options.labels)) {
      throw OptionError("The model has " + std::to_string(classes) + " classes, but " +
                        std::to_string(options.labels->size()) + " labels were given.");
    }
    choose(*options.labels, "given");
  } else if (fits(metadata.labels)) {
    choose(metadata.labels, "stored in the checkpoint");
  } else if (classes == 400) {
    choose(builtin_labels("kinetics400"), "built in: kinetics400, since there are 400 classes");
  } else if (classes == something_something_classes && report.scheme == NamingScheme::decisionforce) {
    report.notes.emplace_back(
        "No class names were put in: decisionforce/TPN has models of 174 classes for both versions of "
        "Something-Something. --labels something_something_v1_sorted or something_something_v2 gives the "
        "names "
        "in the order that its data preparation has (the same for both), something_something_v1 those in "
        "mmaction2's order.");
  } else if (classes == something_something_classes && metadata.data_set == "sthv2") {
    choose(builtin_labels("something_something_v2"),
           "built in: something_something_v2, which the configuration text in the checkpoint names");
  } else if (classes == something_something_classes && report.config.backbone.dims == 2) {
    choose(builtin_labels("something_something_v1"),
           "built in: something_something_v1, since it is a TSM model of 174 classes with mmaction2's names");
  }
}

/// The text of "tpn.source".
std::string source_json(const std::filesystem::path& in, const ConvertReport& report) {
  nlohmann::ordered_json source = {
      {"file", in.filename().string()},    {"sha256", report.sha256},
      {"names", name_of(report.scheme)},   {"renamed", report.renamed},
      {"dropped", report.dropped},         {"unexpected", report.unexpected},
      {"initialized", report.initialized}, {"zeroed num_batches_tracked", report.zeroed_batches}};
  return source.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void report_inventory(ConvertReport& report, Inventory inventory) {
  for (const ParameterSource& source : inventory.parameters) {
    if (!source.spec.is_buffer()) report.elements += source.spec.shape.count();
    if (source.tensor != nullptr) ++report.loaded;
  }
  report.renamed = inventory.renamed;
  report.dropped = std::move(inventory.ignored);
  report.unexpected = std::move(inventory.unexpected);
  report.zeroed_batches = inventory.missing_batches;
  for (ParameterSpec& spec : inventory.missing) report.initialized.push_back(std::move(spec.name));
}

std::optional<CheckpointFailure> verify_digest(const std::filesystem::path& in, ConvertReport& report,
                                               bool ignore) {
  const NameDigest verdict = check_name_digest(in, report.sha256);
  report.digest_verified = verdict == NameDigest::matches;
  if (verdict != NameDigest::differs) return std::nullopt;
  if (ignore) {
    report.notes.push_back("The file's SHA-256 does not begin with the digits that its name ends in.");
    return std::nullopt;
  }
  return CheckpointFailure(
      CheckpointError::bad_crc,
      in.string() + ": the file's SHA-256 begins with " + report.sha256.substr(0, 8) +
          " and not with the digits that its name ends in; it is damaged, or was changed "
          "or renamed (--ignore-digest takes it all the same).");
}

CheckpointResult<ConvertReport> convert_opened(const Checkpoint& checkpoint, std::future<std::string>& digest,
                                               const std::filesystem::path& in,
                                               const std::filesystem::path& out,
                                               const ConvertOptions& options) {
  const NamedTensors tensors(checkpoint);
  if (tensors.collision()) return CheckpointFailure(CheckpointError::bad_tensor, *tensors.collision());
  MetadataConfig metadata = read_metadata_config(checkpoint);
  ConvertReport report;
  report.scheme = tensors.scheme();
  report.prefixes = tensors.prefixes();
  report.found_under = checkpoint.found_under();
  report.also_under = checkpoint.also_under();
  report.other_keys = checkpoint.other_keys();
  std::erase_if(report.other_keys, [&](const std::string& key) {
    return key == "meta" || std::ranges::any_of(report.also_under, [&](const std::string& path) {
             return path.substr(0, path.find('/')) == key;
           });
  });
  report.other_keys.insert(report.other_keys.end(), checkpoint.non_tensors().begin(),
                           checkpoint.non_tensors().end());
  report.notes = std::move(metadata.notes);
  if (const std::size_t behind = checkpoint.bytes_behind(); behind > 0) {
    report.notes.push_back("The file has " + std::to_string(behind) + (behind == 1 ? " byte" : " bytes") +
                           " behind the checkpoint, which were not read.");
  }
  if (options.config) {
    if (auto failure = refuse_without_pyramid(tensors); failure && !options.init_missing) return *failure;
    report.config = *options.config;
  } else {
    auto detected = detect_architecture(tensors, metadata, options.init_missing);
    if (!detected) return detected.failure();
    report.config = std::move(detected->config);
    report.notes.insert(report.notes.end(), detected->notes.begin(), detected->notes.end());
  }
  const Inventory inventory = take_inventory(tensors, report.config);
  if (auto problem = first_problem(inventory, options.init_missing)) return *std::move(problem);
  choose_labels(report, options, metadata);
  report.sha256 = digest.get();
  if (auto failure = verify_digest(in, report, options.ignore_digest)) return *std::move(failure);
  report_inventory(report, inventory);
  try {
    write_safetensors(out, model_metadata(report.config, report.labels, source_json(in, report)),
                      make_outputs(checkpoint, inventory, report.config, options));
  } catch (const Refusal& refusal) {
    return refusal.failure();
  }
  return report;
}

}  // namespace

CheckpointResult<ConvertReport> convert_checkpoint(const std::filesystem::path& in,
                                                   const std::filesystem::path& out,
                                                   const ConvertOptions& options) {
  if (auto file = MappedFile::open(in); !file) {
    return CheckpointFailure(CheckpointError::not_a_checkpoint, file.failure().message);
  }
  // Hashing takes about as long as comparing the checksums inside the file; they run side by side.
  auto digest = std::async(std::launch::async, [&in] { return sha256_hex(in); });
  const auto checkpoint = Checkpoint::open(in, options.weights);
  if (!checkpoint && checkpoint.failure().kind == CheckpointError::no_such_weights) {
    throw OptionError(checkpoint.failure().message);
  }
  if (!checkpoint) return checkpoint.failure();
  auto result = convert_opened(*checkpoint, digest, in, out, options);
  if (result || result.failure().message.starts_with(in.string())) return result;
  return CheckpointFailure(result.failure().kind, in.string() + ": " + result.failure().message);
}

}  // namespace tpn
