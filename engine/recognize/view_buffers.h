// The memory of batches of views, lent to so many of them at a time.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "kernels/memory.h"

namespace tpn {

/// Thread-safe.
class ViewBuffers {
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<HostBuffer> free;
    bool cancelled = false;
  };

 public:
  /// A buffer that goes back when its holder lets go. It may outlive the lender.
  class Loan {
   public:
    Loan() = default;
    Loan(std::shared_ptr<State> lender, HostBuffer buffer)
        : lender_(std::move(lender)), buffer_(std::move(buffer)) {}
    Loan(Loan&& other) noexcept = default;
    Loan& operator=(Loan&& other) noexcept {
      std::swap(lender_, other.lender_);
      std::swap(buffer_, other.buffer_);
      return *this;
    }
    ~Loan() {
      if (!lender_) return;
      const std::lock_guard lock(lender_->mutex);
      lender_->free.push_back(std::move(buffer_));  // there is room for all that were lent
      lender_->changed.notify_all();
    }

    [[nodiscard]] std::byte* data() const { return buffer_.data(); }
    [[nodiscard]] std::size_t bytes() const { return buffer_.bytes(); }
    /// Makes it at least that large; what it held is lost where it was smaller.
    void reserve(std::size_t bytes) {
      if (buffer_.bytes() < bytes) buffer_ = HostBuffer(bytes);
    }

   private:
    std::shared_ptr<State> lender_;
    HostBuffer buffer_;
  };

  explicit ViewBuffers(std::size_t count) : state_(std::make_shared<State>()) { state_->free.resize(count); }

  /// Waits until one is free. Nothing when borrowing is cancelled.
  std::optional<Loan> borrow() {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [&] { return state_->cancelled || !state_->free.empty(); });
    if (state_->cancelled) return std::nullopt;
    HostBuffer buffer = std::move(state_->free.back());
    state_->free.pop_back();
    return Loan(state_, std::move(buffer));
  }

  /// Ends all waiting, now and later.
  void cancel() {
    const std::lock_guard lock(state_->mutex);
    state_->cancelled = true;
    state_->changed.notify_all();
  }

 private:
  std::shared_ptr<State> state_;
};

}  // namespace tpn
