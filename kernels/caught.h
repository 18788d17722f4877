// Failures of one thread, told to another.
#pragma once

#include <exception>
#include <new>
#include <type_traits>

#include "kernels/error.h"

namespace tpn {

/// What the call returns, or why it threw.
template <class Call>
Result<std::invoke_result_t<const Call&>> caught(const Call& call) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return Failure{"There is not enough memory."};
  } catch (const std::exception& error) {
    return Failure{error.what()};
  }
}

}  // namespace tpn
