// Errors: exceptions that carry a sentence for the user, and Result for what is read from untrusted bytes.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

namespace tpn {

/// What every function of the library throws. what() is one sentence a user can act on: which file, which
/// tensor, what was expected and what was found.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// What was asked for cannot be had, whatever the inputs hold: an option that is wrong, or names what is.
class OptionError : public Error {
 public:
  using Error::Error;
};

/// A device's memory does not suffice. Smaller batches may fit.
class OutOfMemory : public Error {
 public:
  using Error::Error;
};

/// Why bytes were refused.
struct Failure {
  std::string message;
};

/// A value, or the reason why untrusted bytes do not hold one. Parsers return it instead of throwing. F is
/// Failure, or a type derived from it that says more.
template <class T, class F = Failure>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(F failure) : state_(std::move(failure)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return std::holds_alternative<T>(state_); }
  explicit operator bool() const { return ok(); }

  T& operator*() & { return std::get<T>(state_); }
  const T& operator*() const& { return std::get<T>(state_); }
  T&& operator*() && { return std::get<T>(std::move(state_)); }
  T* operator->() { return &std::get<T>(state_); }
  const T* operator->() const { return &std::get<T>(state_); }
  [[nodiscard]] const F& failure() const { return std::get<F>(state_); }

  /// The value, moved out; throws Error with the failure's message, after `context` where one is given.
  T value_or_throw(const std::string& context = {}) && {
    if (!ok()) throw Error(context.empty() ? failure().message : context + ": " + failure().message);
    return std::get<T>(std::move(state_));
  }

 private:
  std::variant<T, F> state_;
};

}  // namespace tpn
