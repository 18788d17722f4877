#include "benchmarks/gpu/gpu_report.h"

#include <algorithm>
#include <iomanip>
#include <ostream>

#include <nlohmann/json.hpp>

namespace tpn::benchmarks {
namespace {

using nlohmann::json;

json to_json(const Statistics& s) {
  return {{"count", s.count}, {"best", s.best}, {"median", s.median}, {"p99", s.p99}, {"spread", s.spread}};
}

json to_json(const cuda::DeviceInfo& d) {
  return {{"name", d.name},
          {"compute_capability", std::to_string(d.major) + "." + std::to_string(d.minor)},
          {"multiprocessors", d.multiprocessors},
          {"memory_bytes", d.memory_bytes},
          {"l2_bytes", d.l2_bytes},
          {"clock_hz", d.clock_hz},
          {"peak_bytes_per_second", d.peak_bytes_per_second},
          {"peak_f32_multiply_adds", d.peak_f32_multiply_adds},
          {"peak_tf32_multiply_adds", d.peak_tf32_multiply_adds},
          {"peak_half_multiply_adds", d.peak_half_multiply_adds}};
}

json to_json(const GpuStep& s) {
  return {{"name", s.name},
          {"op", s.op},
          {"kernel", s.implementation},
          {"seconds", s.seconds},
          {"multiply_adds", s.multiply_adds},
          {"issued", s.issued},
          {"bytes", s.bytes}};
}

json to_json(const GpuTiming& t, const cuda::DeviceInfo& device) {
  json steps = json::array();
  for (const GpuStep& step : t.steps) steps.push_back(to_json(step));
  return {{"precision", name_of(t.precision)},
          {"views", t.views},
          {"deviation", t.verification.deviation},
          {"tolerance", t.verification.tolerance},
          {"passed", t.verification.passed()},
          {"plan_seconds", t.plan_seconds},
          {"first_seconds", t.first_seconds},
          {"device_seconds", to_json(t.device_seconds)},
          {"wall_seconds", to_json(t.wall_seconds)},
          {"views_per_second", static_cast<double>(t.views) / t.device_seconds.median},
          {"share_of_peak", share_of_peak(device, t.precision, t.multiply_adds, t.device_seconds.median)},
          {"multiply_adds", t.multiply_adds},
          {"device_bytes", t.device_bytes},
          {"steps", steps}};
}

double percent(const cuda::DeviceInfo& device, Precision precision, std::int64_t work, double seconds) {
  return 100 * share_of_peak(device, precision, work, seconds);
}

void print_steps(const GpuTiming& timing, const cuda::DeviceInfo& device, std::ostream& out) {
  for (const GpuStep& s : timing.steps) {
    out << "    " << std::setw(9) << s.seconds * 1e6 << " us " << std::setw(5)
        << percent(device, timing.precision, s.multiply_adds, s.seconds) << " % of peak " << std::setw(8)
        << static_cast<double>(s.bytes) / s.seconds * 1e-9 << " GB/s  " << s.op << ' ' << s.name << "  "
        << s.implementation << '\n';
  }
}

}  // namespace

bool GpuReport::correct() const {
  return std::all_of(timings.begin(), timings.end(),
                     [](const GpuTiming& t) { return t.verification.passed(); });
}

double share_of_peak(const cuda::DeviceInfo& device, Precision precision, std::int64_t multiply_adds,
                     double seconds) {
  const double peak = storage_type(precision) != DType::f32 ? device.peak_half_multiply_adds
                      : precision == Precision::tf32        ? device.peak_tf32_multiply_adds
                                                            : device.peak_f32_multiply_adds;
  return static_cast<double>(multiply_adds) / seconds / peak;
}

std::string to_json(const GpuReport& report) {
  json timings = json::array();
  for (const GpuTiming& timing : report.timings) timings.push_back(to_json(timing, report.device));
  return json{{"device", to_json(report.device)},
              {"libraries", report.libraries},
              {"config", report.config},
              {"correct", report.correct()},
              {"timings", timings}}
             .dump(1) +
         "\n";
}

void print_heading(const GpuReport& report, std::ostream& out) {
  out << report.config << " on " << report.libraries << '\n' << std::fixed << std::setprecision(1);
}

void print(const GpuReport& report, const GpuTiming& t, bool steps, std::ostream& out) {
  out << std::setw(5) << name_of(t.precision) << std::setw(4) << t.views << " views";
  if (!t.verification.passed()) {
    out << ": WRONG, the logits deviate by " << std::scientific << t.verification.deviation << std::fixed
        << '\n';
    return;
  }
  const double seconds = t.device_seconds.median;
  out << std::setw(9) << seconds * 1e3 << " ms " << std::setw(8) << static_cast<double>(t.views) / seconds
      << " views/s " << std::setw(5) << percent(report.device, t.precision, t.multiply_adds, seconds)
      << " % of peak; host adds " << (t.wall_seconds.median - seconds) * 1e6 << " us; plan "
      << t.plan_seconds * 1e3 << " ms, first run " << t.first_seconds * 1e3 << " ms, "
      << static_cast<double>(t.device_bytes) * 1e-6 << " MB\n";
  if (steps) print_steps(t, report.device, out);
}

}  // namespace tpn::benchmarks
