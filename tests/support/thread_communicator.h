// Ranks that are threads of one process.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "engine/parallel/communicator.h"

namespace tpn::test {

/// Where the threads meet.
class ThreadRanks {
 public:
  explicit ThreadRanks(int size) : size_(size) {}

  [[nodiscard]] int size() const { return size_; }

  /// Leaves what a rank has for its exchange of that number.
  void put(int rank, std::size_t exchange, std::vector<double> values) {
    const std::lock_guard lock(mutex_);
    exchanges_[exchange][rank] = std::move(values);
    changed_.notify_all();
  }
  /// What all ranks have left there, by rank; waits for it.
  std::map<int, std::vector<double>> take(int rank, std::size_t exchange) {
    std::unique_lock lock(mutex_);
    const auto complete = [&] { return exchanges_[exchange].size() == static_cast<std::size_t>(size_); };
    changed_.wait(lock, [&] { return complete() || (!failure_.empty() && failed_ != rank); });
    if (!complete()) throw RankFailure(failure_);
    return exchanges_[exchange];
  }
  void fail(int rank, std::string_view sentence) {
    const std::lock_guard lock(mutex_);
    if (!failure_.empty()) return;
    failed_ = rank;
    failure_ = "Rank " + std::to_string(rank) + " has failed: " + std::string(sentence);
    changed_.notify_all();
  }

 private:
  int size_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::size_t, std::map<int, std::vector<double>>> exchanges_;
  int failed_ = -1;
  std::string failure_;
};

class ThreadCommunicator final : public Communicator {
 public:
  ThreadCommunicator(std::shared_ptr<ThreadRanks> ranks, int rank) : ranks_(std::move(ranks)), rank_(rank) {}

  [[nodiscard]] int rank() const override { return rank_; }
  [[nodiscard]] int size() const override { return ranks_->size(); }
  [[nodiscard]] int local_rank() const override { return rank_; }
  [[nodiscard]] int local_size() const override { return size(); }

  std::future<void> start_sum(std::span<float> values, std::shared_ptr<const void> memory) override {
    const std::size_t exchange = count_++;
    ranks_->put(rank_, exchange, {values.begin(), values.end()});
    return std::async(std::launch::deferred, [this, exchange, values, memory = std::move(memory)] {
      const auto all = ranks_->take(rank_, exchange);
      for (std::size_t i = 0; i < values.size(); ++i) {
        float sum = 0;
        for (const auto& [rank, of_rank] : all) sum += static_cast<float>(of_rank[i]);
        values[i] = sum;
      }
    });
  }
  void sum(std::span<double> values) override {
    const auto all = exchange({values.begin(), values.end()});
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = 0;
      for (const auto& [rank, of_rank] : all) values[i] += of_rank[i];
    }
  }
  void gather(std::span<const float> own, std::span<float> all) override {
    auto to = all.begin();
    for (const auto& [rank, of_rank] : exchange({own.begin(), own.end()})) {
      to = std::ranges::transform(of_rank, to, [](double value) { return static_cast<float>(value); }).out;
    }
  }
  void broadcast(std::span<std::byte> bytes) override {
    std::vector<double> own;
    for (const std::byte byte : bytes) own.push_back(std::to_integer<int>(byte));
    const auto all = exchange(std::move(own));
    std::ranges::transform(all.at(0), bytes.begin(),
                           [](double value) { return static_cast<std::byte>(static_cast<int>(value)); });
  }
  void barrier() override { (void)exchange({}); }
  void fail(std::string_view sentence) noexcept override { ranks_->fail(rank_, sentence); }

 private:
  std::map<int, std::vector<double>> exchange(std::vector<double> own) {
    const std::size_t number = count_++;
    ranks_->put(rank_, number, std::move(own));
    return ranks_->take(rank_, number);
  }

  std::shared_ptr<ThreadRanks> ranks_;
  int rank_;
  std::size_t count_ = 0;  ///< exchanges that this rank has begun
};

/// Calls body(communicator) on a thread for each rank. What a rank throws, the others are told; the first
/// failure is thrown again.
inline void run_ranks(int size, const std::function<void(const std::shared_ptr<Communicator>&)>& body) {
  const auto ranks = std::make_shared<ThreadRanks>(size);
  std::mutex mutex;
  std::exception_ptr first;
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(size));
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      const auto communicator = std::make_shared<ThreadCommunicator>(ranks, rank);
      try {
        body(communicator);
      } catch (const std::exception& error) {
        {
          const std::lock_guard lock(mutex);
          if (!first) first = std::current_exception();
        }
        communicator->fail(error.what());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (first) std::rethrow_exception(first);
}

}  // namespace tpn::test
