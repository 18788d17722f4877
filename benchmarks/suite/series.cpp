#include "benchmarks/suite/series.h"

#include <algorithm>
#include <fstream>
#include <numeric>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "kernels/error.h"

namespace tpn::benchmarks {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view format_name = "tpn benchmark suite 1";

std::string number_text(double value) {
  return ordered_json(value == static_cast<double>(static_cast<std::int64_t>(value))
                          ? ordered_json(static_cast<std::int64_t>(value))
                          : ordered_json(value))
      .dump();
}

ordered_json json_of(const Series& s) {
  ordered_json json{{"benchmark", s.benchmark},
                    {"variant", s.variant},
                    {"at", s.at},
                    {"unit", s.unit == Unit::seconds ? "seconds" : "bytes"},
                    {"rounds", s.rounds}};
  if (s.yardstick) json["yardstick"] = true;
  if (!s.figures.empty()) json["figures"] = s.figures;
  return json;
}

Series series_of(const ordered_json& json) {
  Series s;
  s.benchmark = json.at("benchmark").get<std::string>();
  s.variant = json.at("variant").get<std::string>();
  s.at = json.at("at").get<std::map<std::string, double>>();
  s.unit = json.at("unit").get<std::string>() == "bytes" ? Unit::bytes : Unit::seconds;
  s.yardstick = json.value("yardstick", false);
  s.rounds = json.at("rounds").get<Rounds>();
  s.figures = json.value("figures", std::map<std::string, double>());
  return s;
}

ordered_json json_of(const Layers& l) {
  ordered_json layers = ordered_json::array();
  for (const Layers::Layer& layer : l.layers) {
    layers.push_back({{"name", layer.name},
                      {"operation", layer.operation},
                      {"implementation", layer.implementation},
                      {"best", layer.best},
                      {"median", layer.median},
                      {"multiply_adds", layer.multiply_adds},
                      {"bytes", layer.bytes}});
  }
  return {{"precision", l.precision},
          {"threads", l.threads},
          {"peak_gflops", l.peak_gflops},
          {"layers", std::move(layers)}};
}

Layers layers_of(const ordered_json& json) {
  Layers l{json.at("precision").get<std::string>(),
           json.at("threads").get<int>(),
           json.at("peak_gflops").get<double>(),
           {}};
  for (const ordered_json& layer : json.at("layers")) {
    l.layers.push_back({layer.at("name").get<std::string>(), layer.at("operation").get<std::string>(),
                        layer.at("implementation").get<std::string>(), layer.at("best").get<double>(),
                        layer.at("median").get<double>(), layer.at("multiply_adds").get<double>(),
                        layer.at("bytes").get<double>()});
  }
  return l;
}

}  // namespace

std::string Series::name() const {
  std::string text = benchmark;
  if (!variant.empty()) text += '/' + variant;
  for (const auto& [key, value] : at) text += '/' + key + '=' + number_text(value);
  return text;
}

std::vector<double> Series::values() const {
  std::vector<double> all;
  for (const std::vector<double>& round : rounds) all.insert(all.end(), round.begin(), round.end());
  return all;
}

double Layers::seconds() const {
  return std::accumulate(layers.begin(), layers.end(), 0.0,
                         [](double sum, const Layer& layer) { return sum + layer.median; });
}

const Series* SuiteResults::find(const std::string& name) const {
  const auto found = std::ranges::find(series, name, &Series::name);
  return found == series.end() ? nullptr : &*found;
}

std::string to_json(const SuiteResults& results) {
  ordered_json json{{"format", format_name},           {"machine", results.machine},
                    {"commands", results.commands},    {"faults", results.faults},
                    {"series", ordered_json::array()}, {"layers", ordered_json::array()}};
  for (const Series& s : results.series) json["series"].push_back(json_of(s));
  for (const Layers& l : results.layers) json["layers"].push_back(json_of(l));
  return json.dump(1) + "\n";
}

SuiteResults read_results(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) throw Error("'" + path.string() + "' cannot be read.");
  SuiteResults results;
  try {
    const ordered_json json = ordered_json::parse(file);
    if (json.at("format") != format_name) throw Error("");
    results.machine = json.at("machine").get<std::map<std::string, std::string>>();
    results.commands = json.at("commands").get<std::vector<std::string>>();
    results.faults = json.at("faults").get<std::vector<std::string>>();
    for (const ordered_json& s : json.at("series")) results.series.push_back(series_of(s));
    for (const ordered_json& l : json.at("layers")) results.layers.push_back(layers_of(l));
  } catch (const std::exception&) {
    throw Error("'" + path.string() + "' does not hold results of scripts/benchmark of this version.");
  }
  return results;
}

}  // namespace tpn::benchmarks
