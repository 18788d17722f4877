// Registers a test of its own for every case of every operation, so that a failure names it and one can be
// run alone: --gtest_filter='*relu/tail'.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "kernels/op_list.h"

namespace tpn::test {

/// A test whose body is a function.
class FunctionTest : public ::testing::Test {
 public:
  explicit FunctionTest(std::function<void()> body) : body_(std::move(body)) {}
  void TestBody() override { body_(); }

 private:
  std::function<void()> body_;
};

/// Registers SUITE.NAME, whose body is a function. To be called before main, for instance by the initialiser
/// of a constant; the body has to make what it needs.
inline void register_test(const std::string& suite, const std::string& name, std::function<void()> body) {
  ::testing::RegisterTest(suite.c_str(), name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                          [body = std::move(body)] { return new FunctionTest(body); });
}

/// Registers SUITE.OPERATION/CASE for every case that is small enough for the reference: check(case), where
/// check can be called with cases of that operation.
template <class Check>
bool register_case_tests(const std::string& suite, const Check& check) {
  for_each_op([&]<class Op>(std::type_identity<Op>) {
    if constexpr (requires(const ops::Case<Op>& c) { check(c); }) {
      for (const ops::Case<Op>& c : Op::cases()) {
        if (c.full_size) continue;
        register_test(suite, std::string(Op::name) + "/" + c.label, [c, check] { check(c); });
      }
    }
  });
  return true;
}

}  // namespace tpn::test
