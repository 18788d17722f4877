#include "engine/model/text.h"

#include <string>

#include <gtest/gtest.h>

namespace tpn {
namespace {

TEST(Text, ValidUtf8) {
  for (const char* const good :
       {"", "a", "\xc2\x80", "ü", "動", "\xf0\x9f\x8e\xac", "\xf4\x8f\xbf\xbf", "\xee\x80\x80"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
  }
  for (const char* const bad : {"\x80", "\xff", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2z", "\xe0\x9f\xbf",
                                "\xe5\x8b", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80"}) {
    EXPECT_FALSE(is_utf8(bad)) << bad;
    EXPECT_FALSE(is_utf8(bad, Surrogates::allow)) << bad;
  }
  EXPECT_FALSE(is_utf8("\xed\xa0\x80"));
  EXPECT_TRUE(is_utf8("\xed\xa0\x80", Surrogates::allow));
}

TEST(Text, MessagesShowHostileNamesHarmlessly) {
  EXPECT_EQ(in_quotes("conv1.weight"), "'conv1.weight'");
  EXPECT_EQ(in_quotes("ümläut"), "'ümläut'");
  EXPECT_EQ(in_quotes("a\x1b[2J\n\x7f\xff\xc2\x9b"), "'a?[2J" + std::string(4, '?') + "'");
  EXPECT_EQ(in_quotes(std::string(1000, 'x')), "'" + std::string(100, 'x') + "...'");
  EXPECT_EQ(in_quotes(std::string(100, 'x')), "'" + std::string(100, 'x') + "'");
}

}  // namespace
}  // namespace tpn
