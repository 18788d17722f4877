// Processes that exchange messages by MPI.
//
// A thread of its own makes all calls of MPI. What is asked of it begins in order, and several exchanges may
// be under way at once; between looks at them it sleeps, so that processors that compute are not kept busy.
// Beside what it is asked for it looks for sentences of ranks that failed: one fails all that this rank waits
// for.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <mpi.h>

#include "engine/parallel/launch.h"
#include "kernels/stopwatch.h"

namespace tpn {
namespace {

using namespace std::chrono_literals;

/// How often an idle thread looks for failures, and how long it sleeps between looks at what is under way.
constexpr auto idle_look = 100ms;
constexpr auto busy_look = 50us;
/// Looks that it takes at once before it begins to sleep.
constexpr int eager_looks = 200;
/// How long ranks that fail wait for each other.
constexpr double patience = 10;

constexpr int failure_tag = 1;

void check(int result) {
  if (result == MPI_SUCCESS) return;
  std::string text(MPI_MAX_ERROR_STRING, ' ');
  int length = 0;
  MPI_Error_string(result, text.data(), &length);
  text.resize(static_cast<std::size_t>(length));
  throw RankFailure("The exchange with the other processes failed: " + text + ".");
}

int mpi_count(std::size_t count) {
  if (count > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    throw Error("Too much is exchanged at once.");
  }
  return static_cast<int>(count);
}

class MpiProcesses final : public ProcessGroup {
 public:
  MpiProcesses() {
    std::promise<void> ready;
    thread_ = std::thread([this, &ready] { serve(ready); });
    try {
      ready.get_future().get();
    } catch (...) {
      thread_.join();
      throw;
    }
  }
  MpiProcesses(const MpiProcesses&) = delete;
  MpiProcesses& operator=(const MpiProcesses&) = delete;
  ~MpiProcesses() override {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    asked_.notify_one();
    thread_.join();
  }

  [[nodiscard]] int rank() const override { return rank_; }
  [[nodiscard]] int size() const override { return size_; }
  [[nodiscard]] int local_rank() const override { return local_rank_; }
  [[nodiscard]] int local_size() const override { return local_size_; }

  std::future<void> start_sum(std::span<float> values, std::shared_ptr<const void> memory) override {
    const auto start = [values](MPI_Request& request) {
      check(MPI_Iallreduce(MPI_IN_PLACE, values.data(), mpi_count(values.size()), MPI_FLOAT, MPI_SUM,
                           MPI_COMM_WORLD, &request));
    };
    return ask(start, std::move(memory));
  }
  void sum(std::span<double> values) override {
    const auto own = std::make_shared<std::vector<double>>(values.begin(), values.end());
    ask(
        [&to = *own](MPI_Request& request) {
          check(MPI_Iallreduce(MPI_IN_PLACE, to.data(), mpi_count(to.size()), MPI_DOUBLE, MPI_SUM,
                               MPI_COMM_WORLD, &request));
        },
        own)
        .get();
    std::ranges::copy(*own, values.begin());
  }
  void gather(std::span<const float> own, std::span<float> all) override {
    struct Rows {
      std::vector<float> own, all;
    };
    const auto rows = std::make_shared<Rows>(Rows{{own.begin(), own.end()}, std::vector<float>(all.size())});
    ask(
        [&r = *rows](MPI_Request& request) {
          check(MPI_Iallgather(r.own.data(), mpi_count(r.own.size()), MPI_FLOAT, r.all.data(),
                               mpi_count(r.own.size()), MPI_FLOAT, MPI_COMM_WORLD, &request));
        },
        rows)
        .get();
    std::ranges::copy(rows->all, all.begin());
  }
  void broadcast(std::span<std::byte> bytes) override {
    const auto own = std::make_shared<std::vector<std::byte>>(bytes.begin(), bytes.end());
    ask(
        [&to = *own](MPI_Request& request) {
          check(MPI_Ibcast(to.data(), mpi_count(to.size()), MPI_BYTE, 0, MPI_COMM_WORLD, &request));
        },
        own)
        .get();
    std::ranges::copy(*own, bytes.begin());
  }
  void barrier() override {
    ask([](MPI_Request& request) { check(MPI_Ibarrier(MPI_COMM_WORLD, &request)); }, nullptr).get();
  }

  void fail(std::string_view sentence) noexcept override try {
    const std::lock_guard lock(mutex_);
    own_failure_ = sentence;
    asked_.notify_one();
  } catch (...) {  // no memory: abort() ends the others
  }

  [[noreturn]] void abort(int status) noexcept override {
    {
      const std::lock_guard lock(mutex_);
      abort_status_ = status;
    }
    asked_.notify_one();
    thread_.join();  // it does not return
    std::abort();
  }

 private:
  /// Begins an exchange.
  using Start = std::function<void(MPI_Request& request)>;

  /// Memory is kept as long as MPI may use it, even if whoever asked has given up.
  struct Asked {
    Start start;
    std::shared_ptr<const void> memory;
    std::promise<void> done;
    MPI_Request request = MPI_REQUEST_NULL;
  };

  std::future<void> ask(Start start, std::shared_ptr<const void> memory) {
    Asked asked{std::move(start), std::move(memory), {}};
    std::future<void> done = asked.done.get_future();
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(asked));
    }
    asked_.notify_one();
    return done;
  }

  /// What the thread does.
  void serve(std::promise<void>& ready) {
    try {
      begin();
    } catch (...) {
      ready.set_exception(std::current_exception());
      return;
    }
    ready.set_value();
    int looks = 0;
    for (;;) {
      std::deque<Asked> asked;
      std::optional<std::string> own_failure;
      int abort_status = -1;
      {
        std::unique_lock lock(mutex_);
        const auto woken = [this] {
          return !queue_.empty() || ended_ || abort_status_ >= 0 || own_failure_.has_value();
        };
        if (under_way_.empty()) asked_.wait_for(lock, idle_look, woken);
        asked.swap(queue_);
        own_failure.swap(own_failure_);
        abort_status = abort_status_;
        if (ended_ && asked.empty() && under_way_.empty()) break;
      }
      if (own_failure) tell(*own_failure);
      if (abort_status >= 0) leave(abort_status);
      look_for_failures();
      if (!asked.empty()) looks = 0;
      for (Asked& one : asked) begin(one);
      test();
      if (!under_way_.empty() && ++looks > eager_looks) std::this_thread::sleep_for(busy_look);
    }
    MPI_Finalize();
  }

  void begin() {
    int provided = 0;
    if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) {
      throw Error("MPI cannot be initialised.");
    }
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    check(MPI_Comm_rank(MPI_COMM_WORLD, &rank_));
    check(MPI_Comm_size(MPI_COMM_WORLD, &size_));
    check(MPI_Comm_dup(MPI_COMM_WORLD, &failures_));
    MPI_Comm local = MPI_COMM_NULL;
    check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &local));
    check(MPI_Comm_rank(local, &local_rank_));
    check(MPI_Comm_size(local, &local_size_));
    check(MPI_Comm_free(&local));
  }

  void begin(Asked& asked) {
    try {
      if (!failure_.empty()) throw RankFailure(failure_);
      asked.start(asked.request);
      under_way_.push_back(std::move(asked));
    } catch (...) {
      asked.done.set_exception(std::current_exception());
    }
  }

  void test() {
    for (auto one = under_way_.begin(); one != under_way_.end();) {
      int done = 0;
      try {
        check(MPI_Test(&one->request, &done, MPI_STATUS_IGNORE));
        if (done == 0) {
          ++one;
          continue;
        }
        one->done.set_value();
      } catch (...) {
        one->done.set_exception(std::current_exception());
      }
      one = under_way_.erase(one);
    }
  }

  /// Sends the sentence to all others.
  void tell(const std::string& sentence) {
    // NOLINTNEXTLINE(clang-analyzer-optin.mpi.MPI-Checker): nobody waits for whether it arrives
    for (int other = 0; other < size_; ++other) {
      if (other == rank_) continue;
      MPI_Request request = MPI_REQUEST_NULL;
      sent_.push_back(sentence);
      MPI_Isend(sent_.back().data(), static_cast<int>(sentence.size()), MPI_CHAR, other, failure_tag,
                failures_, &request);
      MPI_Request_free(&request);
    }
  }

  void look_for_failures() {
    int found = 0;
    MPI_Status status;
    if (MPI_Iprobe(MPI_ANY_SOURCE, failure_tag, failures_, &found, &status) != MPI_SUCCESS || found == 0)
      return;
    int length = 0;
    MPI_Get_count(&status, MPI_CHAR, &length);
    std::string sentence(static_cast<std::size_t>(length), ' ');
    MPI_Recv(sentence.data(), length, MPI_CHAR, status.MPI_SOURCE, failure_tag, failures_, MPI_STATUS_IGNORE);
    if (!failure_.empty()) return;
    failure_ = "Rank " + std::to_string(status.MPI_SOURCE) + " of " + std::to_string(size_) +
               " has failed, and this one cannot go on without it: " + sentence;
    for (Asked& one : under_way_) one.done.set_exception(std::make_exception_ptr(RankFailure(failure_)));
    abandoned_ = std::move(under_way_);
    under_way_.clear();
  }

  /// Waits for the others to come here, but not for long.
  [[noreturn]] void leave(int status) {
    int highest = status;
    MPI_Request request = MPI_REQUEST_NULL;
    int done = 0;
    MPI_Iallreduce(&status, &highest, 1, MPI_INT, MPI_MAX, failures_, &request);
    for (const Stopwatch watch; done == 0 && watch.seconds() < patience;) {
      MPI_Test(&request, &done, MPI_STATUS_IGNORE);
      std::this_thread::sleep_for(busy_look);
    }
    // NOLINTNEXTLINE(clang-analyzer-optin.mpi.MPI-Checker): what is not done by now is given up
    MPI_Abort(MPI_COMM_WORLD, done != 0 ? highest : status);
    std::abort();
  }

  int rank_ = 0, size_ = 1, local_rank_ = 0, local_size_ = 1;
  MPI_Comm failures_ = MPI_COMM_NULL;  ///< for sentences of ranks that failed
  std::deque<std::string> sent_;       ///< those of this rank
  std::vector<Asked> under_way_;
  std::vector<Asked> abandoned_;  ///< when another rank failed: nobody waits for them any more
  std::string failure_;           ///< of another rank; the thread's

  std::mutex mutex_;  ///< of what follows
  std::condition_variable asked_;
  std::deque<Asked> queue_;
  std::optional<std::string> own_failure_;
  bool ended_ = false;
  int abort_status_ = -1;
  std::thread thread_;
};

}  // namespace

std::shared_ptr<ProcessGroup> join_processes() {
  return std::make_shared<MpiProcesses>();
}

}  // namespace tpn
