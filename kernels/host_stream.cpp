#include <chrono>
#include <cstring>
#include <utility>

#include "kernels/stream.h"

namespace tpn {
namespace {

class HostRecording final : public Recording {
 public:
  explicit HostRecording(std::function<void()> work) : work_(std::move(work)) {}
  void replay(Stream&) override { work_(); }

 private:
  std::function<void()> work_;
};

class HostMark final : public Mark {
 public:
  void wait() const override {}
  [[nodiscard]] double seconds_since(const Mark& earlier) const override {
    return std::chrono::duration<double>(at_ - static_cast<const HostMark&>(earlier).at_).count();
  }

 private:
  std::chrono::steady_clock::time_point at_ = std::chrono::steady_clock::now();
};

class HostStream final : public Stream {
 public:
  void upload(std::byte* device, const std::byte* host, std::size_t bytes) override {
    std::memmove(device, host, bytes);
  }
  void download(std::byte* host, const std::byte* device, std::size_t bytes) override {
    std::memmove(host, device, bytes);
  }
  void clear(std::byte* device, std::size_t bytes) override { std::memset(device, 0, bytes); }
  void synchronize() override {}
  std::unique_ptr<Recording> record(const std::function<void()>& work) override {
    return std::make_unique<HostRecording>(work);
  }
  std::unique_ptr<Mark> mark() override { return std::make_unique<HostMark>(); }
  void wait_for(const Mark&) override {}
};

}  // namespace

std::unique_ptr<Stream> make_host_stream() {
  return std::make_unique<HostStream>();
}

}  // namespace tpn
