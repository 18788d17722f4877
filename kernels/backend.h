// What a device offers: kernels compiled for operations of given shapes and types.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/op_list.h"
#include "kernels/tensor.h"

namespace tpn {

/// A weight that does not change while the kernels made from it live. `release` says that its stored form is
/// not needed soon (it may be empty).
struct Constant {
  std::string name;
  ConstTensorView view;
  std::function<void()> release;
};

/// An input of an operation to compile: its type, and for a weight its values.
struct Operand {
  Shape shape;
  DType dtype = DType::f32;
  const Constant* constant = nullptr;
};

/// Weights in the form that kernels want (packed, folded, converted), shared by every kernel that wants the
/// same form. Thread-safe.
class PreparedWeights {
 public:
  /// The prepared object under that key, made by `make` if there is none. The key names weights, form and
  /// type.
  template <class T>
  std::shared_ptr<const T> get(const std::string& key,
                               const std::function<std::shared_ptr<const T>()>& make) {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<const void>& slot = slots_[key];
    if (!slot) slot = make();
    return std::static_pointer_cast<const T>(slot);
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const void>> slots_;
};

/// A compiled operation. Immutable: may run in several threads at once, each with its own tensors and scratch
/// memory.
class Kernel {
 public:
  Kernel() = default;
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;
  virtual ~Kernel() = default;

  /// inputs: one view per operand; those of constants are not read. scratch: scratch_bytes() bytes, aligned
  /// to 64.
  virtual void run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
                   std::byte* scratch) const = 0;
  [[nodiscard]] virtual std::size_t scratch_bytes() const { return 0; }
  /// Which code runs, for tables: for instance the library's implementation name.
  [[nodiscard]] virtual std::string implementation() const = 0;
  /// The input whose memory the first output should share, where that saves a copy; -1 for none.
  [[nodiscard]] virtual int in_place_input() const { return -1; }
};

/// A device on which plans run.
class Backend {
 public:
  Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;
  virtual ~Backend() = default;

  [[nodiscard]] virtual std::string_view name() const = 0;
  /// Whether activations can have that type here.
  [[nodiscard]] virtual bool supports(DType dtype) const = 0;
  /// Whether the operation can be compiled: a fusion pass asks before it makes one.
  [[nodiscard]] virtual bool supports(const AnyOp& op) const = 0;

  /// Throws Error, naming the operation, when it cannot run here.
  [[nodiscard]] virtual std::unique_ptr<Kernel> compile(const AnyOp& op, std::span<const Operand> inputs,
                                                        std::span<const Operand> outputs,
                                                        PreparedWeights& prepared) const = 0;

  /// The libraries it computes with and what they make of this machine, for reports; empty for none.
  [[nodiscard]] virtual std::string libraries() const { return {}; }

  /// Called by the thread that is about to run kernels.
  virtual void enter_thread() const {}
};

}  // namespace tpn
