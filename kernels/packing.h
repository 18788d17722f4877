// Weights in the forms that kernels read: packed, folded, converted.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/stream.h"
#include "kernels/tensor.h"

namespace tpn {

struct Operand;

/// Makes one form of some parameters, as often as they change. Compiled without their values; immutable, and
/// lives as long as it is wanted, whatever becomes of the kernels that asked for it.
class Packing {
 public:
  /// form: all that the bytes depend on besides the parameters. sources: places of the parameters among the
  /// operation's operands. bytes: of the form.
  Packing(std::string_view form, std::span<const Operand> operands, std::vector<std::size_t> sources,
          std::size_t bytes);
  Packing(const Packing&) = delete;
  Packing& operator=(const Packing&) = delete;
  virtual ~Packing() = default;

  /// The form and the parameters' names: packings of equal keys make the same of the same model, and kernels
  /// share it.
  [[nodiscard]] const std::string& key() const { return key_; }
  [[nodiscard]] std::span<const std::size_t> sources() const { return sources_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  /// Enqueues packing. sources: the parameters' values in the backend's memory, dense, f32. packed: bytes()
  /// bytes there, aligned as the backend's memory_alignment() says. Neither waits nor allocates device
  /// memory, so that streams can record it.
  virtual void pack(std::span<const ConstTensorView> sources, std::byte* packed, Stream& stream) const = 0;

  /// Throws Error, naming the parameter, for values that no form can be made of. sources: as for pack(), but
  /// in the host's memory.
  virtual void check(std::span<const ConstTensorView>) const {}

 private:
  std::string key_;
  std::vector<std::size_t> sources_;
  std::size_t bytes_;
};

}  // namespace tpn
