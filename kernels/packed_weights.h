// The packed weights in a memory: each form once, for as long as someone computes with it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "kernels/backend.h"

namespace tpn {

/// A parameter in the host's memory: dense, of a floating type, aligned in no way. `release` says that this
/// form is not needed soon (it may be empty).
struct StoredParameter {
  ConstTensorView view;
  std::function<void()> release;
};

/// What plans of one model share in the memory of one device (Backend::memory_name()). Keys name parameters,
/// so that two models have one each, and so have weights before and after they change. Thread-safe.
class PackedWeights {
 public:
  using Form = std::shared_ptr<const Buffer>;

  /// The form under that key, or, if nobody holds it, what `make` makes.
  Form get(const std::string& key, const std::function<Buffer()>& make);

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<const Buffer>> forms_;
};

/// Packs stored parameters, in the order of packing.sources(), in memory of the backend, and releases them.
/// One packing's parameters at a time are there as f32. Throws Error as Packing::check does, and OutOfMemory.
Buffer pack(const Packing& packing, std::span<const StoredParameter> sources, const Backend& backend);

/// Throws Error as Packing::check does for stored parameters, in the order of packing.sources(); releases
/// them.
void check(const Packing& packing, std::span<const StoredParameter> sources);

/// A stored parameter as kernels read it that do not want it packed: dense, f32, in memory of the backend.
/// Releases it.
Buffer upload(const StoredParameter& parameter, const Backend& backend);

}  // namespace tpn
