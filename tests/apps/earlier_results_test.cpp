#include "apps/earlier_results.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

#include "apps/model_digest.h"
#include "apps/result_format.h"
#include "kernels/error.h"
#include "tests/support/temporary_directory.h"

namespace tpn::app {
namespace {

TEST(RunName, TellsEverythingApartThatResultsDependOn) {
  std::set<std::string> names;
  std::size_t runs = 0;
  const auto add = [&](const std::string& model, auto change) {
    RecognizerOptions options;
    ResultFormat format;
    change(options, format);
    names.insert(run_name(model, options, format));
    EXPECT_EQ(names.size(), ++runs);
  };
  add("model", [](auto&, auto&) {});
  add("other", [](auto&, auto&) {});
  add("model", [](RecognizerOptions& o, auto&) { o.precision = Precision::bf16; });
  add("model", [](RecognizerOptions& o, auto&) { o.clips = 1; });
  add("model", [](RecognizerOptions& o, auto&) { o.crops = 1; });
  add("model", [](RecognizerOptions& o, auto&) { o.clips = 11; });
  add("model", [](RecognizerOptions& o, auto&) { o.clips = o.crops = 1; });
  add("model", [](RecognizerOptions& o, auto&) { o.accurate_color = true; });
  add("model", [](RecognizerOptions& o, auto&) { o.frames = "img_%05d.jpg"; });
  add("model", [](auto&, ResultFormat& f) { f.top = 1; });
  add("model", [](auto&, ResultFormat& f) { f.all_scores = true; });
}

TEST(RunName, IsTheSameHoweverTheWorkIsDone) {
  RecognizerOptions options;
  const std::string name = run_name("model", options, {});
  options.threads = 1;
  options.batch = 4;
  EXPECT_EQ(run_name("model", options, {}), name);
}

TEST(ModelDigest, NoticesOtherWeights) {
  const test::TemporaryDirectory folder;
  const auto digest = [&](const std::string& bytes) { return model_digest(folder.write("model", bytes)); };
  const std::string model(1'000'000, 'w');
  const std::string expected = digest(model);
  EXPECT_EQ(digest(model), expected);
  for (const std::size_t at : {std::size_t{0}, (std::size_t{1} << 18) - 1, (std::size_t{1} << 19) + 3}) {
    std::string other = model;
    other[at] = 'x';
    EXPECT_NE(digest(other), expected) << at;
  }
  EXPECT_NE(digest(model + "w"), expected);
  EXPECT_THROW((void)model_digest(folder / "absent"), Error);
}

}  // namespace
}  // namespace tpn::app
