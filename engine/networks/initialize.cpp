#include "engine/networks/initialize.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "engine/model/model_file.h"

namespace tpn {
namespace {

using ByteSink = std::function<void(std::span<const std::byte>)>;

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
class RandomBits {
 public:
  /// A stream of its own for every seed and name.
  RandomBits(std::uint64_t seed, std::string_view name) : state_(mix(seed)) {
    for (const char c : name) state_ = mix(state_ ^ static_cast<unsigned char>(c));
  }

  std::uint64_t next() { return mix(state_ += 0x9e3779b97f4a7c15U); }

 private:
  static std::uint64_t mix(std::uint64_t z) {
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
  }

  std::uint64_t state_;
};

/// Uniform on [low, high), with 24 bits.
struct Uniform {
  float low;
  float high;
  float operator()(RandomBits& bits) const {
    return low + static_cast<float>(bits.next() >> 40) * 0x1p-24F * (high - low);
  }
};

/// Approximately N(0, deviation^2): twelve uniform 16-bit integers have a sum of variance 2^32 (less 12/12).
struct Normal {
  float deviation;
  float operator()(RandomBits& bits) const {
    std::uint64_t sum = 0;  // two lanes of 32 bits
    for (int i = 0; i < 3; ++i) {
      constexpr std::uint64_t even = 0x0000ffff0000ffffU;
      const std::uint64_t four = bits.next();
      sum += (four & even) + (four >> 16 & even);
    }
    const auto total = static_cast<std::int32_t>((sum & 0xffffffffU) + (sum >> 32));
    return static_cast<float>(total - 6 * 0xffff) * 0x1p-16F * deviation;
  }
};

struct Constant {
  float value;
  float operator()(RandomBits& /*bits*/) const { return value; }
};

template <class Distribution>
void fill(std::int64_t count, RandomBits bits, const Distribution& draw, const ByteSink& sink) {
  std::vector<float> piece(static_cast<std::size_t>(std::min<std::int64_t>(count, 1 << 16)));
  while (count > 0) {
    const auto taken = std::min(count, static_cast<std::int64_t>(piece.size()));
    for (std::int64_t i = 0; i < taken; ++i) piece[static_cast<std::size_t>(i)] = draw(bits);
    sink(std::as_bytes(std::span(piece).first(static_cast<std::size_t>(taken))));
    count -= taken;
  }
}

bool is_backbone(const ParameterSpec& spec) {
  return spec.name.starts_with("backbone.");
}
bool ends_residual_branch(const ParameterSpec& spec) {
  return spec.name.find(".conv3.bn.") != std::string::npos;
}
/// Convolutions that no batch norm and no ReLU follows.
bool is_plain_convolution(const ParameterSpec& spec) {
  return spec.name.starts_with("neck.temporal_modulation_ops.") ||
         spec.name.starts_with("neck.downsample_ops.");
}

/// Products of a weight (O, I, ...): `out` is O and `in` is I, times the kernel's size.
struct Fan {
  float in;
  float out;
};
Fan fan_of(const Shape& weight) {
  const std::int64_t per_output = weight.count() / weight[0];
  const std::int64_t per_input = weight.count() / weight[1];
  return {static_cast<float>(per_output), static_cast<float>(per_input)};
}

/// Calls `fill` with the distribution that mmaction2 starts training from.
template <class Fill>
void choose_from_scratch(const ParameterSpec& spec, const Config& config, const Fill& fill_with) {
  switch (spec.kind) {
    case ParameterKind::conv_weight: {
      const Fan fan = fan_of(spec.shape);
      if (is_backbone(spec)) return fill_with(Normal{std::sqrt(2 / fan.out)});
      const float bound = std::sqrt(6 / (fan.in + fan.out));
      return fill_with(Uniform{-bound, bound});
    }
    case ParameterKind::bn_scale:
      return fill_with(Constant{config.backbone.dims == 3 && ends_residual_branch(spec) ? 0.0F : 1.0F});
    case ParameterKind::bn_variance:
      return fill_with(Constant{1});
    case ParameterKind::fc_weight:
      return fill_with(Normal{0.01F});
    default:
      return fill_with(Constant{0});
  }
}

template <class Fill>
void choose_varied(const ParameterSpec& spec, const Fill& fill_with) {
  switch (spec.kind) {
    case ParameterKind::conv_weight:  // keeps the mean square, through a ReLU where one follows
      return fill_with(Normal{std::sqrt((is_plain_convolution(spec) ? 1 : 2) / fan_of(spec.shape).in)});
    case ParameterKind::bn_scale: {
      const float size = ends_residual_branch(spec) ? 0.25F : 1.0F;  // the sums of a long chain stay tame
      return fill_with(Uniform{0.5F * size, 1.5F * size});
    }
    case ParameterKind::bn_variance:
      return fill_with(Uniform{0.7F, 1.4F});
    case ParameterKind::fc_weight:
      return fill_with(Normal{0.7F / std::sqrt(fan_of(spec.shape).in)});
    default:
      return fill_with(Normal{0.2F});
  }
}

}  // namespace

void initialize_parameter(const ParameterSpec& spec, const Config& config, Initialization initialization,
                          std::uint64_t seed, const ByteSink& sink) {
  RandomBits bits(seed, spec.name);
  if (spec.kind == ParameterKind::bn_batches) {
    const bool varied = initialization == Initialization::varied;
    const std::int64_t batches = varied ? static_cast<std::int64_t>(1 + bits.next() % 1'000'000) : 0;
    return sink(std::as_bytes(std::span(&batches, 1)));
  }
  const auto fill_with = [&](const auto& distribution) {
    fill(spec.shape.count(), bits, distribution, sink);
  };
  if (initialization == Initialization::varied) return choose_varied(spec, fill_with);
  choose_from_scratch(spec, config, fill_with);
}

void write_random_model(const Config& config, Initialization initialization, std::uint64_t seed,
                        const std::vector<std::string>& labels, const std::filesystem::path& path) {
  std::vector<SafetensorsOutput> outputs;
  for (const ParameterSpec& spec : parameter_specs(config)) {
    const DType dtype = spec.kind == ParameterKind::bn_batches ? DType::i64 : DType::f32;
    outputs.push_back(
        {spec.name, dtype, spec.shape, [&config, initialization, seed, spec](const ByteSink& sink) {
           initialize_parameter(spec, config, initialization, seed, sink);
         }});
  }
  const std::string_view how = initialization == Initialization::varied ? "varied" : "from scratch";
  const std::string source =
      R"({"random weights": ")" + std::string(how) + R"(", "seed": )" + std::to_string(seed) + "}";
  write_safetensors(path, model_metadata(config, labels, source), outputs);
}

}  // namespace tpn
