#include "engine/report/json_text.h"

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace tpn {
namespace {

TEST(JsonText, AnyTextComesBack) {
  std::string all;
  for (char c = 0; c >= 0 && c < 127; ++c) all += c;
  for (const std::string& text : {all, std::string("\"\\/\n\t"), std::string("動作 قفز 🎬"), std::string()}) {
    EXPECT_EQ(nlohmann::json::parse(json_string(text)).get<std::string>(), text);
  }
}

TEST(JsonText, BytesThatAreNoTextAreReplaced) {
  EXPECT_EQ(json_string("a\xff.mp4"), "\"a?.mp4\"");
}

TEST(JsonText, CannotEndAScriptElement) {
  EXPECT_EQ(json_string("</script><!--"), "\"\\u003c/script>\\u003c!--\"");
}

TEST(JsonText, NumbersKeepEveryBitAndAreJson) {
  for (const double value : {0.1, -1e-300, 123456789.123, 5e-324, 1.7976931348623157e308, 0.0, 3.0}) {
    EXPECT_EQ(nlohmann::json::parse(json_number(value)).get<double>(), value);
  }
  EXPECT_EQ(json_number(0.1), "0.1");
  EXPECT_EQ(json_float(0.1F), "0.1");
  EXPECT_EQ(json_float(-std::numeric_limits<float>::infinity()), "null");
  using Limits = std::numeric_limits<double>;
  for (const double value : {Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity()}) {
    EXPECT_EQ(json_number(value), "null");
  }
}

TEST(JsonText, ObjectsKeepTheirOrder) {
  const std::vector<std::int64_t> values = {3, 1};
  const auto text =
      JsonObject()
          .add("z", std::int64_t{-9007199254740993})
          .add("a", "text")
          .add("loss", std::numeric_limits<float>::quiet_NaN())
          .add("yes", true)
          .add("\"key\"", 0.5)
          .add_json("list", json_array(values, [](std::int64_t v) { return std::to_string(v); }))
          .text();
  EXPECT_EQ(text, R"({"z":-9007199254740993,"a":"text","loss":null,"yes":true,"\"key\"":0.5,"list":[3,1]})");
  EXPECT_EQ(JsonObject().text(), "{}");
}

}  // namespace
}  // namespace tpn
