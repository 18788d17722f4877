#include "kernels/buffer_pool.h"

#include <algorithm>
#include <utility>

#include "kernels/error.h"

namespace tpn {
namespace {

constexpr std::size_t most_returned = 3;

}  // namespace

/// A buffer on its way. It knows the pool weakly: what comes back later is freed.
struct BufferPool::Loan {
  Buffer buffer;
  std::weak_ptr<Returned> home;

  Loan(Buffer lent, std::weak_ptr<Returned> pool) : buffer(std::move(lent)), home(std::move(pool)) {}
  Loan(const Loan&) = delete;
  Loan& operator=(const Loan&) = delete;
  ~Loan() {
    const std::shared_ptr<Returned> returned = home.lock();
    if (!returned) return;
    Buffer oldest;  // freed without the lock
    const std::lock_guard lock(returned->mutex);
    std::vector<Buffer>& buffers = returned->buffers;
    if (buffers.size() == most_returned) {
      oldest = std::move(buffers.front());
      buffers.erase(buffers.begin());
    }
    buffers.push_back(std::move(buffer));  // the room is there since take()
  }
};

std::shared_ptr<const Buffer> BufferPool::take(std::size_t bytes) {
  Buffer buffer;
  {
    const std::lock_guard lock(returned_->mutex);
    std::vector<Buffer>& buffers = returned_->buffers;
    buffers.reserve(most_returned);
    const auto fits = std::ranges::find_if(buffers, [&](const Buffer& b) { return b.bytes() >= bytes; });
    if (fits != buffers.end()) {
      buffer = std::move(*fits);
      buffers.erase(fits);
    }
  }
  if (buffer.data() == nullptr) {
    try {
      buffer = allocate_(bytes);
    } catch (const OutOfMemory&) {
      std::vector<Buffer> unused;
      {
        const std::lock_guard lock(returned_->mutex);
        unused.swap(returned_->buffers);
        returned_->buffers.reserve(most_returned);
      }
      if (unused.empty()) throw;
      unused.clear();
      buffer = allocate_(bytes);
    }
  }
  const auto loan = std::make_shared<Loan>(std::move(buffer), returned_);
  return {loan, &loan->buffer};
}

}  // namespace tpn
