#include "tests/support/golden_network.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <set>
#include <stdexcept>

#include "kernels/channel_order.h"
#include "kernels/convert.h"
#include "kernels/verify/tolerance.h"

namespace tpn::test {
namespace {

namespace fs = std::filesystem;

bool is_feature(const std::string& name) {
  return name != "input" && name != "prob" && name != "score" && name != "logits";
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const GoldenName& golden) {
  return out << (golden.directory / golden.name).string();
}

std::string test_name(const GoldenName& golden, std::size_t index) {
  std::string name = golden.directory.filename().string() + "_" + golden.name + "_" + std::to_string(index);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
}

std::vector<GoldenName> goldens_of(std::string_view kind, const std::vector<fs::path>& directories) {
  std::vector<GoldenName> found;
  std::set<std::string> seen;
  for (const fs::path& directory : directories) {
    std::vector<fs::path> files;
    for (const fs::directory_entry& entry : fs::directory_iterator(directory)) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) {
      if (file.extension() != ".json" || file.stem() == "index") continue;
      const nlohmann::json record = nlohmann::json::parse(std::ifstream(file));
      if (record.value("kind", "") != kind) continue;
      const std::string identity =
          file.stem().string() + record.at("seed").dump() + record.at("bin_bytes").dump();
      if (seen.insert(identity).second) found.push_back({directory, file.stem().string()});
    }
  }
  return found;
}

fs::path converted_weights(const std::string& golden) {
  return fs::path(TPN_TEST_DATA) / "models" / (golden + ".safetensors");
}

InputSize input_size(const Golden& golden, const Config& config) {
  const Shape& s = golden.tensor("input").shape;  // (N,V,3,T,H,W), or (N,V*S,3,H,W)
  if (config.backbone.dims == 3) return {s[0] * s[1], s[3], s[4], s[5]};
  const std::int64_t frames = config.backbone.num_segments;
  return {s[0] * s[1] / frames, frames, s[3], s[4]};
}

void fill_views(const Golden& golden, const Config& config, const TensorView& views) {
  const std::span<const float> from = golden.values<float>("input", DType::f32);
  const InputSize size = input_size(golden, config);
  const bool frames_first = config.backbone.dims == 2;  // (N,T,3,H,W), not (N,3,T,H,W)
  const Shape shape = frames_first ? Shape{size.views * size.frames, 1, size.height, size.width, 3}
                                   : Shape{size.views, size.frames, size.height, size.width, 3};
  const std::vector<float> to = channels_last(from, shape);
  convert(reinterpret_cast<const std::byte*>(to.data()), DType::f32, views.data, views.dtype, to.size());
}

GoldenNetwork::GoldenNetwork(const GoldenName& which, std::shared_ptr<const Weights> weights)
    : golden_(Golden::load(which.directory, which.name)),
      weights_(std::move(weights)),
      size_(input_size(golden_, weights_->config())),
      graph_(build_network(weights_->config(), size_)),
      flat_(weights_->config().backbone.dims == 2) {}

const std::vector<float>& Features::at(std::string_view name) const {
  const auto found =
      std::ranges::find(features_, name, [](const auto& f) -> std::string_view { return f.first; });
  if (found == features_.end()) throw std::out_of_range("There is no feature " + std::string(name) + ".");
  return found->second;
}

std::string first_deviation(const Features& features,
                            const std::function<Deviation(const std::string&, std::span<const float>)>& of) {
  std::size_t place = 0;
  for (const auto& [name, values] : features) {
    ++place;
    const Deviation deviation = of(name, values);
    if (deviation.found <= deviation.allowed) continue;  // NaN does not pass
    return "The first feature that deviates is " + name + ", number " + std::to_string(place) + " of " +
           std::to_string(features.size()) + ": by " + std::to_string(deviation.found) + ", more than " +
           std::to_string(deviation.allowed) + ".";
  }
  return {};
}

Features GoldenNetwork::run(std::shared_ptr<const Backend> backend, PlanOptions options) const {
  options.features.clear();
  for (const std::string& name : golden_.names()) {
    if (is_feature(name)) options.features.push_back(name);
  }
  // Values are numbered as the network adds them.
  std::ranges::sort(options.features, {}, [this](const std::string& name) { return graph_.feature(name); });
  Executor executor(std::make_shared<Plan>(graph_, std::move(backend), *weights_, options));
  fill_views(golden_, config(), executor.input());
  executor.run();
  options.features.emplace_back("logits");
  Features features;
  for (const std::string& name : options.features) {
    Feature feature = executor.feature(name);
    const bool by_frame = flat_ && (name == "stem" || name.starts_with("stage"));
    features.add(name, by_frame ? swap_axes(feature.values, feature.shape, 1) : std::move(feature.values));
  }
  return features;
}

std::span<const float> GoldenNetwork::of_size(const std::string& name, std::size_t size) const {
  const std::span<const float> values = expected(name);
  if (values.size() == size) return values;
  throw Error("The feature " + name + " has " + std::to_string(size) + " values, and " +
              std::to_string(values.size()) + " in the golden.");
}

Deviation GoldenNetwork::storage_deviation(const std::string& name, std::span<const float> values,
                                           const Features& rounded, double tolerance) const {
  const std::span<const float> from = of_size(name, values.size());
  return {verify::relative_l2(values, from),
          std::max(tolerance, verify::golden_storage_factor * verify::relative_l2(rounded.at(name), from))};
}

Deviation GoldenNetwork::f32_deviation(const std::string& name, std::span<const float> values) const {
  return {verify::max_abs_difference(values, of_size(name, values.size())),
          verify::golden_f32_factor * golden_.record().at("fp32_error").at(name).at(0).get<double>()};
}

}  // namespace tpn::test
