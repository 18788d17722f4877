// Every case of every operation of the list, each verified against its reference before it is timed, by the
// wall clock: on a GPU with the time that it takes to start it and to see that it is done. Names are
// layer/OP/CASE/PRECISION for layers of full-size models and small/... for the cases that the tests run too.
// The options are Google Benchmark's and those of main().
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>
#include <benchmark/benchmark.h>

#include "benchmarks/check_case.h"
#include "benchmarks/device.h"
#include "benchmarks/machine.h"
#include "benchmarks/peak.h"
#include "benchmarks/time.h"

namespace tpn::benchmarks {
namespace {

/// What the registered benchmarks share. They run one after the other.
class Session {
 public:
  Session(BenchmarkDevice device, int threads, double peak_seconds)
      : device_(std::move(device)), backend_(device_.backend(threads)), peak_seconds_(peak_seconds) {}

  [[nodiscard]] const Backend& backend() const { return *backend_; }
  [[nodiscard]] int threads() const { return device_.threads(*backend_); }
  [[nodiscard]] bool failed() const { return failed_; }

  /// What the device can do, or the best convolution rate, measured when first asked for; 0 when none is
  /// wanted.
  double peak_gflops(Precision precision) {
    if (device_.roofline) return 2e-9 * device_.roofline(precision).multiply_adds;
    if (peak_seconds_ <= 0) return 0;
    const auto [slot, first] = peaks_.try_emplace(precision);
    if (first) slot->second = measure_peak(*backend_, precision, threads(), peak_seconds_).best().best_gflops;
    return slot->second;
  }

  /// The case, bound and verified. Google Benchmark calls a benchmark several times to find out how often to
  /// repeat it: all but the first call get what the first one made.
  template <class Op>
  verify::BoundCase* bind(const std::string& name, const ops::Case<Op>& c, Precision precision) {
    if (name != bound_name_) {
      bound_name_ = name;
      bound_.reset();
      bound_.emplace(c, *backend_, storage_type(precision));
      backend_->enter_thread();
      // As plans do, let the output share the memory of the input that the kernel names.
      if (bound_->kernel().in_place_input() >= 0) {
        bound_->run_in_place();
      } else {
        bound_->run();
      }
      deviation_ = deviation_from_reference(c, *bound_);
      correct_ = deviation_ <= case_tolerance(storage_type(precision));
      failed_ = failed_ || !correct_;
    }
    return correct_ ? &*bound_ : nullptr;
  }

  /// Of the case bound last.
  [[nodiscard]] double deviation() const { return deviation_; }

  void fail() { failed_ = true; }

 private:
  BenchmarkDevice device_;
  std::shared_ptr<const Backend> backend_;
  double peak_seconds_;
  std::map<Precision, double> peaks_;
  std::string bound_name_;
  std::optional<verify::BoundCase> bound_;
  double deviation_ = 0;
  bool correct_ = false;
  bool failed_ = false;
};

template <class Op>
void time_case(::benchmark::State& state, Session& session, const std::string& name, const ops::Case<Op>& c,
               Precision precision) {
  verify::BoundCase* bound = nullptr;
  double peak = 0;
  const std::vector<TensorSpec> outputs = c.op.infer(c.inputs);
  const std::int64_t multiply_adds = c.op.multiply_adds(c.inputs, outputs);
  try {
    if (c.full_size && multiply_adds > 0) peak = session.peak_gflops(precision);
    bound = session.bind(name, c, precision);
  } catch (const Error& e) {
    session.fail();
    state.SkipWithError(e.what());
    return;
  }
  if (!bound) {
    const std::string message = "deviates by " + std::to_string(session.deviation()) + " from the reference";
    state.SkipWithError(message.c_str());
    return;
  }
  const double seconds = time_of([&] {
    for ([[maybe_unused]] const auto iteration : state) bound->run();
  });
  const double gflop = 2e-9 * static_cast<double>(multiply_adds);
  const double rate = gflop * static_cast<double>(state.iterations()) / seconds;
  if (gflop > 0) state.counters["GFLOP/s"] = rate;
  if (peak > 0) state.counters["% of peak"] = 100 * rate / peak;
  state.SetBytesProcessed(state.iterations() * bytes_moved(c.inputs, outputs, storage_type(precision)));
  state.SetLabel(bound->kernel().implementation());
}

void register_cases(Session& session) {
  for_each_op([&]<class Op>(std::type_identity<Op>) {
    for (const ops::Case<Op>& c : Op::cases()) {
      if (!session.backend().supports(AnyOp(c.op))) continue;
      for (const Precision precision : {Precision::f32, Precision::f16, Precision::bf16}) {
        if (!supports(session.backend(), precision)) continue;
        const std::string name = std::string(c.full_size ? "layer/" : "small/") + std::string(Op::name) +
                                 "/" + c.label + "/" + std::string(name_of(precision));
        ::benchmark::RegisterBenchmark(name.c_str(),
                                       [&session, name, c, precision](::benchmark::State& state) {
                                         time_case(state, session, name, c, precision);
                                       })
            ->UseRealTime()
            ->Unit(::benchmark::kMicrosecond);
      }
    }
  });
}

int run_operations(int argc, char** argv) {
  ::benchmark::Initialize(&argc, argv);  // takes its own options out
  CLI::App app(
      "Times every operation. Further options: --benchmark_filter=REGEX, "
      "--benchmark_min_time=SECONDS, --benchmark_out=FILE and Google Benchmark's others.");
  std::string device = "cpu";
  int threads = 0;
  double peak_seconds = 0.2;
  app.add_option("--device", device, "Where to run: cpu, cuda, or cuda:N");
  app.add_option("--threads", threads, "Threads; 0: as many as the machine has");
  app.add_option("--peak-seconds", peak_seconds,
                 "How long each convolution of the peak's measurement is timed; 0: no peak");
  CLI11_PARSE(app, argc, argv);

  Session session(open_device(device, true), threads, peak_seconds);
  const Machine machine = describe_machine(session.backend());
  ::benchmark::AddCustomContext("tpn_version", machine.version);
  ::benchmark::AddCustomContext("processor", machine.processor);
  ::benchmark::AddCustomContext("libraries", machine.libraries);
  ::benchmark::AddCustomContext("compiler", machine.compiler);
  ::benchmark::AddCustomContext("threads", std::to_string(session.threads()));
  register_cases(session);
  if (::benchmark::RunSpecifiedBenchmarks() == 0) {
    std::cerr << "op_benchmark: no operation's name matches the filter.\n";
    return 1;
  }
  return session.failed() ? 1 : 0;
}

}  // namespace
}  // namespace tpn::benchmarks

int main(int argc, char** argv) {
  try {
    return tpn::benchmarks::run_operations(argc, argv);
  } catch (const std::exception& e) {
    std::cerr << "op_benchmark: " << e.what() << '\n';
    return 1;
  }
}
