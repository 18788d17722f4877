// The weights as they are after an epoch, which may turn out to be the best.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "engine/finetuning/checkpoint.h"

namespace tpn {

/// Refers to what it is made of, which must outlive it and not change meanwhile.
class Candidate {
 public:
  /// path: where its model is written if someone wants it.
  Candidate(const Weights& start, const Trainer& trainer, std::filesystem::path path)
      : start_(start), trainer_(&trainer), path_(std::move(path)) {}
  /// Of a model's file.
  Candidate(const Weights& model, std::filesystem::path path)
      : start_(model), path_(std::move(path)), written_(true) {}

  /// Values of a learned parameter.
  [[nodiscard]] std::vector<float> values(const std::string& name, const Shape& shape) const;
  /// The model's file. Throws OutputError.
  const std::filesystem::path& file();
  /// Gives the model's file that name, in the same folder. Throws OutputError.
  void keep_as(const std::filesystem::path& path);

 private:
  const Weights& start_;
  const Trainer* trainer_ = nullptr;
  std::filesystem::path path_;
  bool written_ = false;
};

}  // namespace tpn
