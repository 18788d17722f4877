// What training keeps from step to step, in the memory of the device that trains.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/weights.h"
#include "engine/plan/plan.h"
#include "kernels/backend.h"

namespace tpn {

/// A form of parameters of a store, made anew when these have changed. It must not outlive the store.
class StoredForm {
 public:
  /// A tensor of the store. Its generation is a number that grows with every change.
  struct Source {
    ConstTensorView values;
    const std::uint64_t* generation = nullptr;
  };
  StoredForm(std::shared_ptr<const Packing> packing, std::vector<Source> sources, Buffer memory)
      : packing_(std::move(packing)), sources_(std::move(sources)), memory_(std::move(memory)) {}

  /// Always the same place.
  [[nodiscard]] const std::byte* data() const { return memory_.data(); }
  /// Enqueues packing, unless no parameter has changed since the last time.
  void update(Stream& stream);

 private:
  std::shared_ptr<const Packing> packing_;
  std::vector<Source> sources_;
  Buffer memory_;
  std::vector<std::uint64_t> packed_;  ///< the generations that the form is made of
};

/// Owns parameters (f32), buffers and the optimizer's state by name. Plans of one network share it: what one
/// updates the next one reads. Not thread-safe; streams that use it at once have to be ordered by the caller.
class ParameterStore {
 public:
  /// Room for the tensors, all zeros. Throws OutOfMemory when the device has none.
  ParameterStore(std::shared_ptr<const Backend> backend, std::span<const PersistentTensor> tensors);

  /// Parameters and buffers as the model file has them; the optimizer's state and sums become zeros. A count
  /// that the file lacks becomes 0. Throws Error as Weights::parameter does.
  void load(const Weights& weights);

  /// Makes all tensors of that role zeros.
  void clear(Role role);

  /// Sets a tensor, and copies one, from and to the host's memory. They throw Error when there is none of
  /// that name or it has another shape.
  void write(std::string_view name, const ConstTensorView& values);
  void read(std::string_view name, const TensorView& values) const;
  /// Shows a tensor as it is held, in the host's memory; throws Error when there is none of that name.
  void visit(std::string_view name, const std::function<void(const ConstTensorView&)>& look) const;

  /// In the device's memory, for as long as the store lives; throws Error when there is none of that name or
  /// it is something else.
  [[nodiscard]] TensorView tensor(std::string_view name, const TensorSpec& spec) const;

  /// Room for the form that a packing makes of those parameters; plans that ask for the same share it. It is
  /// gone when nobody holds it any more. Throws OutOfMemory, and Error when a parameter is not held.
  std::shared_ptr<StoredForm> form(const std::shared_ptr<const Packing>& packing,
                                   std::span<const std::string> sources);

  /// Says that work which changes the tensor has been enqueued, or is about to be: forms of it are out of
  /// date.
  void note_update(std::string_view name);

  /// Of the tensors, without forms.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Held {
    PersistentTensor tensor;
    Buffer memory;
    std::uint64_t generation = 0;
  };
  /// Lets `fill` write all of a tensor's elements to the place that it is given.
  void set(Held& held, const std::function<void(std::byte*)>& fill);
  void clear(Held& held);
  [[nodiscard]] const Held& at(std::string_view name) const;
  [[nodiscard]] Held& at(std::string_view name);
  void write(Held& held, const ConstTensorView& values);

  std::shared_ptr<const Backend> backend_;
  std::map<std::string, Held, std::less<>> tensors_;
  std::map<std::string, std::weak_ptr<StoredForm>> forms_;  ///< by Packing::key()
  std::size_t bytes_ = 0;
};

}  // namespace tpn
