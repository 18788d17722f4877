#include "engine/report/html_text.h"

#include <cstddef>
#include <limits>
#include <span>
#include <string>

#include <gtest/gtest.h>

#include "kernels/error.h"

namespace tpn {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

TEST(HtmlText, TextStaysText) {
  EXPECT_EQ(html("<a href=\"x\" id='y'>&amp;</a>"),
            "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;&lt;/a&gt;");
  EXPECT_EQ(html("two\nlines, 動作"), "two\nlines, 動作");
  EXPECT_EQ(html("\xff<"), "?&lt;");
}

TEST(HtmlText, NumbersAreShort) {
  EXPECT_EQ(significant(0.012344), "0.01234");
  EXPECT_EQ(significant(2.5e-5), "2.5e-5");
  EXPECT_EQ(significant(1.25e12), "1.25e12");
  EXPECT_EQ(significant(-3e-110), "-3e-110");
  EXPECT_EQ(significant(0), "0");
  EXPECT_EQ(significant(nan), "–");
  EXPECT_EQ(fixed(2.345, 1), "2.3");
  EXPECT_EQ(fixed(std::numeric_limits<double>::infinity(), 1), "–");
  EXPECT_EQ(percent(0.9335), "93.3\u00a0%");
  EXPECT_EQ(percent(nan), "–");
}

std::string source_of(const std::string& bytes) {
  return image_source(std::as_bytes(std::span(bytes)), "clip.mp4");
}

TEST(HtmlText, ImagesAreKnownByTheirFirstBytes) {
  const std::string png = "\x89PNG\r\n\x1a\n";
  EXPECT_EQ(source_of(png), "data:image/png;base64,iVBORw0KGgo=");
  EXPECT_EQ(source_of(png + "a"), "data:image/png;base64,iVBORw0KGgph");
  EXPECT_EQ(source_of(png + "a\xff"), "data:image/png;base64,iVBORw0KGgph/w==");
  EXPECT_EQ(source_of("\xff\xd8\xff"), "data:image/jpeg;base64,/9j/");
  for (const std::string bytes : {"", "\xff\xd8", "GIF89a", "<svg>"}) EXPECT_THROW(source_of(bytes), Error);
}

}  // namespace
}  // namespace tpn
