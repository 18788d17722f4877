#include "benchmarks/peak.h"

#include <algorithm>

#include "benchmarks/check_case.h"
#include "benchmarks/statistics.h"
#include "benchmarks/time.h"

namespace tpn::benchmarks {
namespace {

using PlainCase = ops::Case<ops::Conv3d>;

std::vector<PlainCase> large_convolutions() {
  std::vector<PlainCase> cases;
  for (const ops::Case<ops::FusedConv3d>& c : ops::FusedConv3d::cases()) {
    if (c.full_size) cases.push_back({c.label, c.op.conv, {c.inputs[0], c.inputs[1]}, {}, true});
  }
  cases.push_back({"matmul_2048x1024x1024",
                   {},
                   {activation({1, 8, 16, 16, 1024}), weight({1024, 1024, 1, 1, 1})},
                   {},
                   true});
  cases.push_back({"matmul_4096x2048x2048",
                   {},
                   {activation({1, 16, 16, 16, 2048}), weight({2048, 2048, 1, 1, 1})},
                   {},
                   true});
  return cases;
}

ConvolutionRate measure(const PlainCase& c, const Backend& backend, Precision precision, double seconds) {
  verify::BoundCase bound(c, backend, storage_type(precision));
  bound.run();
  const double deviation = deviation_from_reference(c, bound);
  if (!(deviation <= case_tolerance(storage_type(precision)))) {
    throw Error("The convolution '" + c.label + "' in " + std::string(name_of(precision)) + " by " +
                bound.kernel().implementation() + " deviates by " + std::to_string(deviation) +
                " from the reference.");
  }
  const Statistics time = summarize(repeat({.runs = 5, .seconds = seconds}, [&] { bound.run(); }));
  const double gflop = 2e-9 * static_cast<double>(c.op.multiply_adds(c.inputs, c.op.infer(c.inputs)));
  return {c.label, bound.kernel().implementation(), gflop / time.best, gflop / time.median};
}

}  // namespace

const ConvolutionRate& Peak::best() const {
  return *std::max_element(convolutions.begin(), convolutions.end(),
                           [](const ConvolutionRate& a, const ConvolutionRate& b) {
                             if (a.saves_products() != b.saves_products()) return a.saves_products();
                             return a.best_gflops < b.best_gflops;
                           });
}

Peak measure_peak(const Backend& backend, Precision precision, int threads, double seconds) {
  backend.enter_thread();
  Peak peak{precision, threads, {}};
  for (const PlainCase& c : large_convolutions()) {
    peak.convolutions.push_back(measure(c, backend, precision, seconds));
  }
  return peak;
}

Peak better_of(const Peak& a, const Peak& b) {
  Peak result = a;
  for (std::size_t i = 0; i < result.convolutions.size(); ++i) {
    ConvolutionRate& rate = result.convolutions[i];
    rate.best_gflops = std::max(rate.best_gflops, b.convolutions[i].best_gflops);
    rate.median_gflops = std::max(rate.median_gflops, b.convolutions[i].median_gflops);
  }
  return result;
}

}  // namespace tpn::benchmarks
