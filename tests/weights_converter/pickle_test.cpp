#include "weights_converter/pickle.h"

#include <cmath>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/checkpoint_builder.h"

namespace tpn {
namespace {

using namespace std::string_literals;  // pickles hold zero bytes
using test::as_bytes;
using test::call;
using test::dictionary;
using test::global;
using test::number;
using test::program;
using test::text;
using test::tuple;

/// A parsed pickle with the stream it refers to.
class Parsed {
 public:
  explicit Parsed(std::string stream)
      : stream_(std::move(stream)), pickle_(Pickle::parse(as_bytes(stream_)).value_or_throw()) {}
  PickleValue operator*() const { return pickle_.root(); }
  const Pickle* operator->() const { return &pickle_; }

 private:
  std::string stream_;
  Pickle pickle_;
};

std::string kind_of_failure(const std::string& stream, const PickleLimits& limits = {}) {
  const auto pickle = Pickle::parse(as_bytes(stream), limits);
  return pickle ? "ok" : std::string(name_of(pickle.failure().kind));
}

TEST(Pickle, ReadsIntegers) {
  const auto read = [](const std::string& value) { return (*Parsed(program(value))).integer(); };
  EXPECT_EQ(read("K\xff"), 255);
  EXPECT_EQ(read("M\xff\xff"), 65535);
  EXPECT_EQ(read("J\xff\xff\xff\xff"), -1);
  EXPECT_EQ(read("\x8a\0"s), 0);
  EXPECT_EQ(read("\x8a\x01\x80"), -128);
  EXPECT_EQ(read("\x8a\x02\x80\0"s), 128);
  EXPECT_EQ(read("\x8a\x08\0\0\0\0\0\0\0\x80"s), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(read("\x8b\x01\0\0\0\x07"s), 7);
  EXPECT_EQ(read("\x88"), std::nullopt);  // True is a bool
  const Parsed big(program("\x8a\x09\0\0\0\0\0\0\0\0\1"s));
  EXPECT_EQ((*big).kind(), PickleKind::big_integer);
  EXPECT_EQ((*big).big_integer()->size(), 9U);
}

TEST(Pickle, ReadsOtherLiterals) {
  EXPECT_EQ((*Parsed(program("N"))).kind(), PickleKind::none);
  EXPECT_EQ((*Parsed(program("\x88"))).boolean(), true);
  EXPECT_EQ((*Parsed(program("\x89"))).boolean(), false);
  EXPECT_EQ((*Parsed(program("G\x3f\xf8\0\0\0\0\0\0"s))).real(), 1.5);
  EXPECT_TRUE(std::isnan(*(*Parsed(program("G\x7f\xf8\0\0\0\0\0\0"s))).real()));
  EXPECT_EQ((*Parsed(program(text("π")))).text(), "π");
  EXPECT_EQ((*Parsed(program("\x8c\x02hi"))).text(), "hi");
  EXPECT_EQ((*Parsed(program("\x8d\x02\0\0\0\0\0\0\0hi"s))).text(), "hi");
  EXPECT_EQ((*Parsed(program("U\x02hi"))).text(), "hi");
  EXPECT_EQ((*Parsed(program("U\x02\xff\xfe"))).bytes()->size(), 2U);  // a str of Python 2 that is no text
  EXPECT_EQ((*Parsed(program("C\x03\0\1\2"s))).bytes()->size(), 3U);
  EXPECT_EQ((*Parsed(program("\x96\x01\0\0\0\0\0\0\0z"s))).bytes()->size(), 1U);
}

TEST(Pickle, ReadsContainers) {
  const Parsed list(program("]" + number(1) + "a(" + number(2) + number(3) + "e"));
  ASSERT_EQ((*list).size(), 3U);
  EXPECT_EQ((*list)[2].integer(), 3);
  const Parsed nested(program(number(1) + "\x85" + number(2) + "\x86"));
  ASSERT_EQ((*nested).kind(), PickleKind::tuple);
  EXPECT_EQ((*nested)[0][0].integer(), 1);
  EXPECT_EQ((*nested)[1].integer(), 2);
  EXPECT_EQ((*Parsed(program("\x8f(" + number(1) + number(2) + "\x90"))).size(), 2U);
  EXPECT_EQ((*Parsed(program("(" + number(1) + "\x91"))).kind(), PickleKind::set);
  EXPECT_EQ((*Parsed(program("(" + text("k") + number(4) + "d"))).find("k")->integer(), 4);
}

TEST(Pickle, TheLastOfEqualKeysCounts) {
  const Parsed value(program(dictionary({{"a", number(1)}, {"b", number(2)}, {"a", number(3)}})));
  EXPECT_EQ((*value).entries().size(), 3U);
  EXPECT_EQ((*value).find("a")->integer(), 3);
  EXPECT_FALSE((*value).find("c").has_value());
}

TEST(Pickle, MemoSharesValues) {
  const Parsed value(program("]q\x05h\x05" + number(1) + "a\x86"));
  EXPECT_EQ((*value)[0][0].integer(), 1);
  EXPECT_EQ((*value)[1][0].integer(), 1);
  // MEMOIZE takes the next slot.
  const Parsed memoized("\x80\x04" + number(8) + "\x94" + number(9) + "\x94" + "0h\1\x86.");
  EXPECT_EQ((*memoized)[1].integer(), 9);
}

TEST(Pickle, CallsAreRememberedNotMade) {
  const Parsed value(program(call(global("posix", "system"), {text("true")})));
  EXPECT_EQ((*value).kind(), PickleKind::object);
  EXPECT_EQ((*value).class_name(), "posix.system");
  EXPECT_EQ((*(*value).arguments())[0].text(), "true");
  EXPECT_FALSE((*value).is_dictionary());
  EXPECT_EQ(describe(*value), "the result of calling 'posix.system'");
  for (const std::string& other :
       {"(" + text("true") + "iposix\nsystem\n", "(" + global("posix", "system") + text("true") + "o",
        global("posix", "system") + tuple({text("true")}) + "\x81",
        global("posix", "system") + tuple({text("true")}) + "}\x92",
        text("posix") + text("system") + "\x93" + tuple({text("true")}) + "R"}) {
    const Parsed same(program(other));
    EXPECT_EQ((*same).class_name(), "posix.system");
    EXPECT_EQ((*(*same).arguments())[0].text(), "true");
  }
}

TEST(Pickle, ObjectsKeepStateAndItems) {
  const Parsed value(program(call(global("my", "Class"), {}) + "(" + text("k") + number(1) + "u" +
                             dictionary({{"attribute", number(2)}}) + "b"));
  EXPECT_TRUE((*value).is_dictionary());
  EXPECT_EQ((*value).find("k")->integer(), 1);
  EXPECT_EQ((*value).state()->find("attribute")->integer(), 2);
}

TEST(Pickle, OrderedDictsOfBothPythons) {
  const std::string ordered = global("collections", "OrderedDict");
  const Parsed empty(program(call(ordered, {})));
  EXPECT_TRUE((*empty).is_dictionary());
  EXPECT_TRUE((*empty).entries().empty());
  const std::string pair = "](" + text("k") + number(5) + "e";
  const Parsed python2(program(call(ordered, {"]" + pair + "a"})));
  EXPECT_EQ((*python2).find("k")->integer(), 5);
}

TEST(Pickle, PersistentValuesAreListed) {
  const Parsed value(program("(" + number(1) + "Q" + number(2) + "Qt"));
  ASSERT_EQ(value->persistent_values().size(), 2U);
  EXPECT_EQ(value->persistent_values()[1].persistent_id()->integer(), 2);
}

TEST(Pickle, EndsAtStop) {
  const std::string stream = program("N");
  EXPECT_EQ(Pickle::parse(as_bytes(stream + "more"))->size(), stream.size());
}

TEST(Pickle, DeepAndCircularValuesCostNoStack) {
  constexpr int depth = 300'000;
  const Parsed deep(program(")" + std::string(depth, '\x85')));
  PickleValue value = *deep;
  int levels = 0;
  for (; value.size() == 1; value = value[0]) ++levels;
  EXPECT_EQ(levels, depth);
  const Parsed circle(program("]q\1h\1a"));
  EXPECT_EQ((*circle)[0][0][0].size(), 1U);
}

TEST(Pickle, RefusesMalformedStreams) {
  for (const std::string& value : {"R"s,
                                   "t"s,
                                   "e"s,
                                   "a"s,
                                   "s"s,
                                   "u"s,
                                   "\x85"s,
                                   "0N0"s,
                                   "1"s,
                                   "(N"s,
                                   "NN"s,
                                   "h\x01"s,
                                   "q\x01"s,
                                   "N}b"s,
                                   "}}b"s,
                                   "}(Nu"s,
                                   "(Nd"s,
                                   "N(Ne"s,
                                   "NNa"s,
                                   "NNNs"s,
                                   "N)R"s,
                                   "NNR"s,
                                   "cos\nsystem\nNR"s,
                                   "cos\nsystem\n)N\x92"s,
                                   "(o"s,
                                   "((Nt"s,
                                   "NN\x93"s,
                                   "N(\x85"s,
                                   "(]1(Ne"s,
                                   "X\1\0\0\0\xff"s,
                                   "T\xff\xff\xff\xff"s,
                                   "\x8b\xff\xff\xff\xff"s,
                                   "\x80\x06N"s,
                                   "\x80\x01N"s,
                                   "\xff"s,
                                   "\x82\x01"s,
                                   "\x97"s,
                                   "I1\n"s,
                                   "S'a'\n"s,
                                   "Va\n"s,
                                   "F1\n"s,
                                   "L1L\n"s,
                                   "Pa\n"s,
                                   "c\xff\nname\n"s}) {
    EXPECT_EQ(kind_of_failure(program(value)), "bad_pickle") << testing::PrintToString(value);
  }
  EXPECT_EQ(kind_of_failure("N."), "bad_pickle");  // protocols 0 and 1
}

TEST(Pickle, RefusesStreamsThatEndEarly) {
  const std::string whole =
      program(call(global("a", "b"), {text("c"), number(1), "G" + std::string(8, '\0')}) + "q\1");
  ASSERT_EQ(kind_of_failure(whole), "ok");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_EQ(kind_of_failure(whole.substr(0, length)), "truncated") << length;
  }
  EXPECT_EQ(kind_of_failure(program("X\xff\xff\xff\xff")), "truncated");
  EXPECT_EQ(kind_of_failure(program("\x8d" + std::string(8, '\xff'))), "truncated");
  EXPECT_EQ(kind_of_failure(program("\x95" + std::string(8, '\xff'))), "truncated");
}

TEST(Pickle, KeepsItsLimits) {
  EXPECT_EQ(kind_of_failure(program("(" + std::string(20, 'N') + "t"), {.nodes = 20}), "limit");
  EXPECT_EQ(kind_of_failure(program("(N" + std::string(20, '2') + "t"), {.elements = 20}), "limit");
  EXPECT_EQ(kind_of_failure(program("N" + std::string(20, '2')), {.stack = 20}), "limit");
  EXPECT_EQ(kind_of_failure(program(std::string(21, '(')), {.stack = 20}), "limit");
  EXPECT_EQ(kind_of_failure(program("Nr" + test::le(20, 4)), {.stack = 20}), "limit");
  EXPECT_EQ(kind_of_failure(program("Nr\xff\xff\xff\xff")), "limit");
  EXPECT_EQ(kind_of_failure(program(text("long text")), {.bytes = 10}), "limit");
  EXPECT_EQ(kind_of_failure(program(global("m", std::string(2000, 'n')))), "limit");
}

}  // namespace
}  // namespace tpn
