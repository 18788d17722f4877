// A made-up training run as a report.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/report/finetune_report.h"

namespace tpn::test {

struct SampleSize {
  std::size_t classes = 6;
  std::int64_t epochs = 12;
  std::int64_t steps_per_epoch = 25;
};

/// The first class is called <script>alert(1)</script>, others have Arabic, long and empty names; some steps
/// lack values, some epochs were not validated. The same values each time.
FinetuneReport sample_report(const SampleSize& size);

}  // namespace tpn::test
