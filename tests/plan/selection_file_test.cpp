#include "engine/exec/selection_file.h"

#include <cstdlib>

#include <gtest/gtest.h>

#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

const std::vector<CandidateReport> candidates{{"fast", 1, 0, true, ""}};

TEST(SelectionFile, KeepsATable) {
  const test::TemporaryDirectory folder;
  const auto file = folder / "deep/er/selections";
  SelectionStore store(load_selections(file));
  EXPECT_FALSE(store.find("key").has_value());
  store.put("key", candidates);
  EXPECT_TRUE(save_selections(file, store));
  EXPECT_NE(load_selections(file).find("key"), nullptr);
}

TEST(SelectionFile, KeepsWhatOthersPutThere) {
  const test::TemporaryDirectory folder;
  const auto file = folder / "selections";
  SelectionStore one, other;
  one.put("one", candidates);
  other.put("other", candidates);
  EXPECT_TRUE(save_selections(file, one));
  EXPECT_TRUE(save_selections(file, other));
  EXPECT_EQ(load_selections(file).size(), 2U);
  EXPECT_EQ(folder.entry_count(), 1);  // nothing temporary is left
}

TEST(SelectionFile, IsWrittenOnlyAfterAChange) {
  const test::TemporaryDirectory folder;
  SelectionStore store;
  EXPECT_TRUE(save_selections(folder / "selections", store));
  EXPECT_EQ(folder.entry_count(), 0);
}

TEST(SelectionFile, DamageIsNoError) {
  const test::TemporaryDirectory folder;
  const auto file = folder.write("selections", "tpn kernel selections 1\nlayer");
  EXPECT_EQ(load_selections(file).size(), 0U);
  EXPECT_EQ(load_selections(folder.path()).size(), 0U);  // a folder
  SelectionStore store;
  store.put("key", candidates);
  EXPECT_TRUE(save_selections(file, store));  // rebuilt
  EXPECT_EQ(load_selections(file).size(), 1U);
}

TEST(SelectionFile, NoPlaceToWriteIsNoError) {
  const test::TemporaryDirectory folder;
  folder.write("file", "");
  SelectionStore store;
  store.put("key", candidates);
  EXPECT_FALSE(save_selections(folder / "file/selections", store));
}

/// Sets variables of the environment, and puts back what they were.
class Environment {
 public:
  Environment() {
    for (const char* name : {"TPN_CACHE_DIR", "XDG_CACHE_HOME", "HOME"}) {
      const char* value = std::getenv(name);
      before_.emplace_back(name, value ? std::optional<std::string>(value) : std::nullopt);
      ::unsetenv(name);
    }
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() {
    for (const auto& [name, value] : before_) {
      if (value) {
        ::setenv(name.c_str(), value->c_str(), 1);
      } else {
        ::unsetenv(name.c_str());
      }
    }
  }
  static void set(const char* name, const char* value) { ::setenv(name, value, 1); }

 private:
  std::vector<std::pair<std::string, std::optional<std::string>>> before_;
};

TEST(SelectionFile, LiesWhereTheEnvironmentSays) {
  const Environment environment;
  EXPECT_EQ(selection_file(), std::nullopt);
  Environment::set("HOME", "/home/a");
  EXPECT_EQ(selection_file(), "/home/a/.cache/tpn/kernel_selections");
  Environment::set("XDG_CACHE_HOME", "relative");  // is to be ignored, says its specification
  EXPECT_EQ(selection_file(), "/home/a/.cache/tpn/kernel_selections");
  Environment::set("XDG_CACHE_HOME", "/cache");
  EXPECT_EQ(selection_file(), "/cache/tpn/kernel_selections");
  Environment::set("TPN_CACHE_DIR", "/mine");
  EXPECT_EQ(selection_file(), "/mine/kernel_selections");
}

}  // namespace
}  // namespace tpn
