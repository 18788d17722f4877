#include "kernels/selection_table.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace tpn {
namespace {

std::vector<CandidateReport> candidates() {
  return {
      {"implicit_gemm_128x128x64_s4_k1 (bf16 mma)", 1.25e-5, 3e-3, true, ""},
      {"cudnn_conv2d_e7", 0, std::numeric_limits<double>::quiet_NaN(), false, "It computes something else."},
      {"plain_conv3d (bf16)", 1.0 / 3, 0, false, ""}};
}

SelectionTable table() {
  SelectionTable table;
  table.put("H200|x (1, 8, 16, 16, 1024)", candidates());
  table.put("H200|x (1, 8, 8, 8, 2048)", {{"plain", 2, 0, true, ""}});
  return table;
}

std::string parse_failure(const std::string& text) {
  const Result<SelectionTable> result = SelectionTable::parse(text);
  return result ? "" : result.failure().message;
}

TEST(SelectionTable, FindsWhatWasPut) {
  const SelectionTable t = table();
  const auto* found = t.find("H200|x (1, 8, 16, 16, 1024)");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->at(0).implementation, "implicit_gemm_128x128x64_s4_k1 (bf16 mma)");
  EXPECT_EQ(t.find("H100|x (1, 8, 16, 16, 1024)"), nullptr);
}

TEST(SelectionTable, ReadsWhatItWrote) {
  const std::string text = table().text();
  const Result<SelectionTable> read = SelectionTable::parse(text);
  ASSERT_TRUE(read.ok()) << read.failure().message;
  EXPECT_EQ(read->text(), text);
  const auto* found = read->find("H200|x (1, 8, 16, 16, 1024)");
  ASSERT_NE(found, nullptr);
  ASSERT_EQ(found->size(), 3U);
  for (std::size_t i = 0; i < found->size(); ++i) {
    const CandidateReport &is = found->at(i), expected = candidates()[i];
    EXPECT_EQ(is.implementation, expected.implementation);
    EXPECT_EQ(is.seconds, expected.seconds);  // to the last bit
    EXPECT_EQ(std::isnan(is.relative_error), std::isnan(expected.relative_error));
    EXPECT_EQ(is.chosen, expected.chosen);
    EXPECT_EQ(is.reason, expected.reason);
  }
}

TEST(SelectionTable, RefusesEveryTruncation) {
  const std::string text = table().text();
  for (std::size_t length = 0; length < text.size(); ++length) {
    EXPECT_NE(parse_failure(text.substr(0, length)), "") << length;
  }
  EXPECT_NE(parse_failure(text + "\n"), "");
}

TEST(SelectionTable, RefusesEveryChangedByte) {
  const std::string text = table().text();
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_NE(parse_failure(changed), "") << i;
  }
}

TEST(SelectionTable, RefusesOtherVersionsAndGarbage) {
  std::string text = table().text();
  text.replace(text.find('1'), 1, "2");
  EXPECT_EQ(parse_failure(text), "The text is no table of kernels of this version.");
  EXPECT_NE(parse_failure("garbage\n"), "");
  EXPECT_NE(parse_failure(std::string(100, '\0')), "");
  EXPECT_NE(parse_failure("tpn kernel selections 1\nlayer\tkey\t99999999999999999999\n"), "");
  EXPECT_NE(parse_failure("tpn kernel selections 1\nlayer\tkey\t1\n-1\t0\t1\tname\t\n"), "");
}

TEST(SelectionTable, RefusesHugeTexts) {
  EXPECT_NE(parse_failure(std::string(SelectionTable::max_bytes + 1, '\n')), "");
}

TEST(SelectionTable, IsBounded) {
  SelectionTable t;
  for (std::size_t i = 0; i <= SelectionTable::max_entries; ++i) {
    t.put(std::to_string(i), {{"plain", 1, 0, true, ""}});
  }
  EXPECT_EQ(t.size(), SelectionTable::max_entries);
  EXPECT_EQ(t.find("0"), nullptr);
  EXPECT_NE(t.find(std::to_string(SelectionTable::max_entries)), nullptr);
  EXPECT_LT(t.text().size(), SelectionTable::max_bytes);
}

TEST(SelectionTable, WantsOneChoice) {
  SelectionTable t;
  EXPECT_THROW(t.put("key", {}), Error);
  EXPECT_THROW(t.put("key", {{"a", 1, 0, true, ""}, {"b", 1, 0, true, ""}}), Error);
}

TEST(SelectionTable, PutReplaces) {
  SelectionTable t = table(), newer;
  newer.put("H200|x (1, 8, 8, 8, 2048)", {{"better", 1, 0, true, ""}});
  t.put_all(newer);
  EXPECT_EQ(t.size(), 2U);
  EXPECT_EQ(t.find("H200|x (1, 8, 8, 8, 2048)")->at(0).implementation, "better");
}

TEST(SelectionStore, KnowsWhetherItChanged) {
  SelectionStore store(table());
  EXPECT_FALSE(store.take_changed());
  store.put("key", candidates());
  EXPECT_TRUE(store.take_changed());
  EXPECT_FALSE(store.take_changed());
  EXPECT_EQ(store.snapshot().size(), 3U);
  EXPECT_TRUE(store.find("key").has_value());
  EXPECT_FALSE(store.find("other").has_value());
}

}  // namespace
}  // namespace tpn
