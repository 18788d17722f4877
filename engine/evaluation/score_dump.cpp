#include "engine/evaluation/score_dump.h"

#include "engine/evaluation/csv_dump.h"
#include "engine/evaluation/numpy_dump.h"
#include "engine/evaluation/pickle_dump.h"
#include "kernels/error.h"

namespace tpn {

std::unique_ptr<ScoreDump> open_score_dump(const std::filesystem::path& path, DumpFormat format,
                                           const EvaluationRun& run) {
  switch (format) {
    case DumpFormat::csv:
      return std::make_unique<CsvDump>(path, run);
    case DumpFormat::numpy:
      return std::make_unique<NumpyDump>(path, run);
    case DumpFormat::pickle:
      return std::make_unique<PickleDump>(path, run);
    case DumpFormat::json_lines:
      break;
  }
  throw Error(path.string() + ": lines of JSON are written one by one.");
}

}  // namespace tpn
