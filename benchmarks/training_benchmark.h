// Times whole steps of training.
#pragma once

#include "benchmarks/model_benchmark.h"

namespace tpn::benchmarks {

/// The labels of a benchmark's views: different classes, as far as there are so many.
std::vector<std::int64_t> labels_of(std::int64_t views, std::int64_t classes);

/// Steps of training as benchmark.training says. Before anything is timed, a step of a small batch is
/// compared with what an unfused plan in f32 on the host makes of it, and the first steps at full size have
/// to be finite and the same once more.
ModelTiming time_training(const ModelBenchmark& benchmark, const InputSize& size, Precision precision,
                          const std::shared_ptr<const Backend>& backend);

}  // namespace tpn::benchmarks
