// Work in order on a device.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace tpn {

class Stream;

/// Work that was recorded once and is enqueued as a whole. Refers to the memory that it was recorded with.
class Recording {
 public:
  Recording() = default;
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;
  virtual ~Recording() = default;

  virtual void replay(Stream& stream) = 0;
};

/// A point in a stream's work: to wait for, and to measure time between two.
class Mark {
 public:
  Mark() = default;
  Mark(const Mark&) = delete;
  Mark& operator=(const Mark&) = delete;
  virtual ~Mark() = default;

  /// Returns when it has been reached.
  virtual void wait() const = 0;
  /// Seconds from an earlier mark of the same stream to this one; waits until both have been reached.
  [[nodiscard]] virtual double seconds_since(const Mark& earlier) const = 0;
};

/// Runs what is enqueued on it in that order. The host's own does everything at once. Not thread-safe.
class Stream {
 public:
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  virtual ~Stream() = default;

  /// Enqueue copies; the memory of both sides must stay as it is until they have run. Host memory should come
  /// from Backend::allocate_staging(): from other memory a copy is slow, and made before the call returns.
  virtual void upload(std::byte* device, const std::byte* host, std::size_t bytes) = 0;
  virtual void download(std::byte* host, const std::byte* device, std::size_t bytes) = 0;
  /// Enqueues writing zeros.
  virtual void clear(std::byte* device, std::size_t bytes) = 0;

  /// Waits until everything enqueued so far has run; throws Error when some of it failed.
  virtual void synchronize() = 0;

  /// Records what `work` enqueues on this stream, without running it. Nothing in it may wait or allocate.
  virtual std::unique_ptr<Recording> record(const std::function<void()>& work) = 0;

  virtual std::unique_ptr<Mark> mark() = 0;
  /// What is enqueued from now on begins when that mark, of another stream of the device, has been reached.
  virtual void wait_for(const Mark& mark) = 0;
};

/// The stream of devices that compute in the host's memory, on the calling thread.
std::unique_ptr<Stream> make_host_stream();

}  // namespace tpn
