// What training keeps from step to step, in the memory of the device that trains.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "engine/model/weights.h"
#include "engine/plan/plan.h"
#include "kernels/backend.h"

namespace tpn {

/// Owns parameters (f32), buffers and the optimizer's state by name. Plans of one network share it: what one
/// updates the next one reads. Not thread-safe; streams that use it at once have to be ordered by the caller.
class ParameterStore {
 public:
  /// Room for the tensors, all zeros. Throws OutOfMemory when the device has none.
  ParameterStore(std::shared_ptr<const Backend> backend, std::span<const PersistentTensor> tensors);

  /// Parameters and buffers as the model file has them; the optimizer's state becomes zeros. A count that
  /// the file lacks becomes 0. Throws Error as Weights::parameter does.
  void load(const Weights& weights);

  /// Sets a tensor, and copies one, from and to the host's memory. They throw Error when there is none of
  /// that name or it has another shape.
  void write(std::string_view name, const ConstTensorView& values);
  void read(std::string_view name, const TensorView& values) const;

  /// In the device's memory, for as long as the store lives; throws Error when there is none of that name or
  /// it is something else.
  [[nodiscard]] TensorView tensor(std::string_view name, const TensorSpec& spec) const;

  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Held {
    PersistentTensor tensor;
    Buffer memory;
  };
  /// Makes zeros of it.
  void clear(const PersistentTensor& tensor);
  [[nodiscard]] const Held& at(std::string_view name) const;
  /// The same, checking the shape.
  [[nodiscard]] const Held& at(std::string_view name, const Shape& shape) const;

  std::shared_ptr<const Backend> backend_;
  std::map<std::string, Held, std::less<>> tensors_;
  std::size_t bytes_ = 0;
};

}  // namespace tpn
