#include "apps/result_format.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace tpn::app {
namespace {

TEST(ResultFormat, TimesAreThousandthsOfMillisecondsInJsonAndSecondsInText) {
  Recognition recognition;
  recognition.input = "a.mp4";
  recognition.frames = 300;
  recognition.duration = 12.04;
  recognition.clips = 10;
  recognition.crops = 3;
  recognition.timings = {.decode = 1.23456,
                         .convert = 2,
                         .resize = 0.0004,
                         .transform = 3.5,
                         .inference = 2400.9996,
                         .total = 2514.9};
  EXPECT_EQ(format_result(recognition, {}),
            "a.mp4  (300 frames, 12.0 s, 10x3 views, classified in 2.51 s)\n");
  const auto object = nlohmann::json::parse(format_result(recognition, {.json = true}));
  EXPECT_EQ(object.at("timings").dump(), R"({"convert":2.0,"decode":1.235,"inference":2401.0,"resize":0.0,)"
                                         R"("total":2514.9,"transform":3.5})");
}

}  // namespace
}  // namespace tpn::app
