#include "weights_converter/python_config.h"

#include <gtest/gtest.h>

namespace tpn {
namespace {

using nlohmann::json;

json value_of(const std::string& text) {
  return parse_python_config("x = " + text + "\n").value("x", json("(absent)"));
}

TEST(PythonConfig, ReadsLiterals) {
  EXPECT_EQ(value_of("-12"), -12);
  EXPECT_EQ(value_of("1e-4"), 1e-4);
  EXPECT_EQ(value_of(".5  # half"), 0.5);
  EXPECT_EQ(value_of("True"), true);
  EXPECT_EQ(value_of("None"), nullptr);
  EXPECT_EQ(value_of(R"('it\'s' "\n")"), "it's\n");
  EXPECT_EQ(value_of("'''a\n'b' c'''"), "a\n'b' c");
  EXPECT_EQ(value_of("(1,)"), json::array({1}));
  EXPECT_EQ(value_of("(1)"), 1);
  EXPECT_EQ(value_of("[]"), json::array());
  EXPECT_EQ(value_of("((1, 2), [3, ])"), json::parse("[[1,2],[3]]"));
  EXPECT_EQ(value_of("dict(a=1, b=dict(\n  c='d'),\n)"), json::parse(R"({"a":1,"b":{"c":"d"}})"));
  EXPECT_EQ(value_of("{'a': 1, \"b\": {}}"), json::parse(R"({"a":1,"b":{}})"));
}

TEST(PythonConfig, WhatIsNoLiteralIsNull) {
  EXPECT_EQ(value_of("1 + 1"), nullptr);
  EXPECT_EQ(value_of("open('x')"), nullptr);
  EXPECT_EQ(value_of("y"), nullptr);
  EXPECT_EQ(value_of("[1, f(2, (3)), 4]"), json::parse("[1,null,4]"));
  EXPECT_EQ(value_of("dict(a=b.c, d=1)"), json::parse(R"({"a":null,"d":1})"));
  EXPECT_EQ(value_of("{1: 2, 'a': 3, **b}"), json::parse(R"({"a":3})"));
  EXPECT_EQ(value_of("'%s' % 1"), nullptr);
}

TEST(PythonConfig, OtherStatementsArePassedOver) {
  const json read = parse_python_config(
      "import os\n# x = 1\nif x == 2: y = [\n1]\nz += 3\n  indented = 4\nwith open('a') as f:\nlast = "
      "5\nlast = 6");
  EXPECT_EQ(read, json::parse(R"({"last":6})"));
}

TEST(PythonConfig, DamagedTextIsReadAsFarAsItGoes) {
  EXPECT_EQ(parse_python_config("a = 1\nb = dict(c=[1, 2").at("a"), 1);
  EXPECT_EQ(parse_python_config("a = 'open\nb = 2").at("b"), 2);
  EXPECT_EQ(parse_python_config(""), json::object());
  EXPECT_EQ(parse_python_config(std::string(2'000'000, 'a')), json::object());
  EXPECT_NO_THROW(parse_python_config("a = " + std::string(100'000, '[')));
  EXPECT_NO_THROW(parse_python_config("a = " + std::string(100'000, '{')));
}

}  // namespace
}  // namespace tpn
