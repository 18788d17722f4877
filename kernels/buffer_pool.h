// Buffers that are used again: page-locked and device memory take long to allocate.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "kernels/memory.h"

namespace tpn {

/// Thread-safe.
class BufferPool {
 public:
  using Allocate = std::function<Buffer(std::size_t bytes)>;
  explicit BufferPool(Allocate allocate)
      : allocate_(std::move(allocate)), returned_(std::make_shared<Returned>()) {}

  /// A buffer of at least that many bytes, with anything in it. It returns to the pool when its last owner
  /// lets go, if there still is a pool: nobody may be using the memory then. Throws as `allocate` does.
  std::shared_ptr<const Buffer> take(std::size_t bytes);

 private:
  /// Those that wait to be used again, the latest last.
  struct Returned {
    std::mutex mutex;
    std::vector<Buffer> buffers;
  };
  struct Loan;

  Allocate allocate_;
  std::shared_ptr<Returned> returned_;
};

}  // namespace tpn
