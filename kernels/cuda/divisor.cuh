// Division by a number that the host knows, without a division instruction: kernels split flat indices into
// coordinates with it.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

namespace tpn::cuda {

/// Divides by d, 1 <= d < 2^31, as a multiplication and a shift. With s the smallest integer such that 2^s >=
/// d and m = ceil(2^(31 + s) / d) < 2^32, m d exceeds 2^(31 + s) by less than 2^s, so that n m / 2^(31 + s)
/// exceeds n / d by less than n / (2^31 d) < 1 / d for every n < 2^31: too little to reach the next integer.
class Divisor {
 public:
  Divisor() = default;
  explicit Divisor(std::uint32_t d) : divisor_(d) {
    std::uint32_t s = 0;
    while ((std::uint64_t{1} << s) < d) ++s;
    shift_ = 31 + s;
    multiplier_ = ((std::uint64_t{1} << shift_) + d - 1) / d;
  }

  [[nodiscard]] __host__ __device__ std::uint32_t value() const { return divisor_; }

  /// Of n < 2^31.
  struct Division {
    std::uint32_t quotient;
    std::uint32_t remainder;
  };
  [[nodiscard]] __host__ __device__ Division divide(std::uint32_t n) const {
    const auto quotient = static_cast<std::uint32_t>(n * multiplier_ >> shift_);
    return {quotient, n - quotient * divisor_};
  }

 private:
  std::uint64_t multiplier_ = std::uint64_t{1} << 31;
  std::uint32_t shift_ = 31;
  std::uint32_t divisor_ = 1;
};

/// By an extent.
inline Divisor divisor(std::int64_t value) {
  return Divisor(static_cast<std::uint32_t>(value));
}

}  // namespace tpn::cuda
