#include "engine/finetuning/candidate.h"

#include "engine/model/output_target.h"
#include "kernels/convert.h"

namespace tpn {

std::vector<float> Candidate::values(const std::string& name, const Shape& shape) const {
  if (trainer_ == nullptr) return to_floats(start_.parameter(name, shape).view);
  if (const auto found = average_->find(name); found != average_->end()) return found->second;
  std::vector<float> values(static_cast<std::size_t>(shape.count()));
  trainer_->store().read(name, {reinterpret_cast<std::byte*>(values.data()), DType::f32, shape});
  return values;
}

const std::filesystem::path& Candidate::file() {
  if (!written_) write_model(start_, *trainer_, *average_, path_);
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
