// The packed forms of parameters that change, as those do that are trained.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernels/backend.h"

namespace tpn {

/// Owns a form for each key, in memory of its own, and makes all of them anew from parameters that lie in the
/// memory of the backend. Not thread-safe.
class PackedForms {
 public:
  explicit PackedForms(std::shared_ptr<const Backend> backend) : backend_(std::move(backend)) {}

  /// Memory of the form that the packing makes, the same for equal keys; nothing is in it before pack().
  /// sources: the parameters, as for Packing::pack(), where they are for as long as this object lives. Throws
  /// OutOfMemory, and Error when another form of that key has other sources.
  const std::byte* add(const std::shared_ptr<const Packing>& packing, std::vector<ConstTensorView> sources);

  /// Enqueues making every form of what its parameters are when the stream comes to it. Neither waits nor
  /// allocates device memory: streams can record it.
  void pack(Stream& stream) const;

  [[nodiscard]] std::size_t bytes() const;

 private:
  struct Entry {
    std::shared_ptr<const Packing> packing;
    std::vector<ConstTensorView> sources;
    Buffer memory;
  };

  std::shared_ptr<const Backend> backend_;
  std::map<std::string, Entry> forms_;  // by the packing's key
};

}  // namespace tpn
