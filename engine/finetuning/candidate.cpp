#include "engine/finetuning/candidate.h"

#include "engine/model/output_target.h"
#include "kernels/convert.h"

namespace tpn {

std::vector<float> Candidate::values(const std::string& name, const Shape& shape) const {
  if (trainer_ == nullptr) return to_floats(start_.parameter(name, shape).view);
  return learned_values(*trainer_, name, shape);
}

const std::filesystem::path& Candidate::file() {
  if (!written_) write_model(start_, *trainer_, path_);
  written_ = true;
  return path_;
}

void Candidate::keep_as(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::rename(file(), path, error);
  if (error) fail_to_write(path, error.value());
  path_ = path;
}

}  // namespace tpn
