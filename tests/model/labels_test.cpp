#include "engine/model/labels.h"

#include <set>

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

using test::TemporaryDirectory;

TEST(Labels, BuiltInListsAreComplete) {
  const std::vector<std::string>& kinetics = builtin_labels("kinetics400");
  ASSERT_EQ(kinetics.size(), 400);
  EXPECT_EQ(kinetics.front(), "abseiling");
  EXPECT_EQ(kinetics[6], "arm wrestling");
  EXPECT_EQ(kinetics.back(), "zumba");
  EXPECT_EQ(std::set<std::string>(kinetics.begin(), kinetics.end()).size(), 400);
  const std::vector<std::string>& something = builtin_labels("something_something_v1");
  ASSERT_EQ(something.size(), 174);
  EXPECT_EQ(something.front(), "Holding something");
  EXPECT_EQ(std::set<std::string>(something.begin(), something.end()).size(), 174);
  EXPECT_THROW(builtin_labels("imagenet"), Error);
}

TEST(Labels, TheOrdersOfSomethingSomething) {
  const std::vector<std::string>& own = builtin_labels("something_something_v1");
  EXPECT_EQ(own[1], "Turning something upside down");
  EXPECT_EQ(own[173], "Poking a hole into some substance");
  // Numbers as in the data set's own list of V2 ("labels.json").
  const std::vector<std::string>& second = builtin_labels("something_something_v2");
  ASSERT_EQ(second.size(), 174);
  EXPECT_EQ(second[0], "Approaching something with your camera");
  EXPECT_EQ(second[27], "Lifting something up completely without letting it drop down");
  EXPECT_EQ(second[28], "Lifting something up completely, then letting it drop down");
  EXPECT_EQ(second[120], "Putting something, something and something on the table");
  EXPECT_EQ(second[160], "Touching (without moving) part of something");
  EXPECT_EQ(second[173], "Wiping something off of something");
  EXPECT_EQ(builtin_labels("something_something_v1_sorted"), second);
  EXPECT_EQ(std::set(own.begin(), own.end()), std::set(second.begin(), second.end()));
  for (const std::string& name : builtin_label_names()) EXPECT_FALSE(builtin_labels(name).empty()) << name;
}

TEST(Labels, ReadsOneALine) {
  const TemporaryDirectory folder;
  const auto path = folder.write("labels.txt", "  first \r\nsecond one\n\xc3\xa4\n\n\n");
  EXPECT_EQ(read_labels(path), (std::vector<std::string>{"first", "second one", "\xc3\xa4"}));
  EXPECT_EQ(read_labels(folder.write("short.txt", "one")), std::vector<std::string>{"one"});
}

TEST(Labels, ReadsTables) {
  const TemporaryDirectory folder;
  const auto read = [&](const std::string& text) { return read_labels(folder.write("labels", text)); };
  const std::vector<std::string> expected{"abseiling", "air drumming", "a, b"};
  EXPECT_EQ(read("id,name\n0,abseiling\n1,air drumming\n2,\"a, b\"\n"), expected);
  EXPECT_EQ(read("1 abseiling\r\n2 air drumming\r\n3 a, b\r\n"), expected);
  EXPECT_EQ(read("2\ta, b\n0\tabseiling\n1\tair drumming\n"), expected);
  EXPECT_EQ(read("[\"abseiling\",\n \"air drumming\", \"a, b\"]"), expected);
  EXPECT_EQ(read(" {\"air drumming\": \"1\", \"abseiling\": \"0\", \"a, b\": \"2\"}\n"), expected);
  EXPECT_EQ(read("\xef\xbb\xbf{\"air drumming\": 1, \"abseiling\": 0, \"a, b\": 2}"), expected);
  EXPECT_EQ(read("{\"1\": \"air drumming\", \"0\": \"abseiling\", \"2\": \"a, b\"}"), expected);
  EXPECT_EQ(read("0 zero\nsomething else\n"), (std::vector<std::string>{"0 zero", "something else"}))
      << "not every line begins with a number";
  EXPECT_EQ(read("id,name\nb\n"), (std::vector<std::string>{"id,name", "b"}));
}

/// The message about a file "labels" of that text.
std::string refusal(const std::string& text) {
  const TemporaryDirectory folder;
  try {
    static_cast<void>(read_labels(folder.write("labels", text)));
  } catch (const Error& error) {
    return std::string(error.what()).substr(folder.path().string().size() + 1);
  }
  return "read";
}

TEST(Labels, NamesWhatIsWrongWithAFile) {
  EXPECT_EQ(refusal("a\n\nb\n"), "labels, line 2 has no label.");
  EXPECT_EQ(refusal("\n \n"), "labels has no labels; one label a line is expected.");
  EXPECT_EQ(refusal("a\nb\nc\nb\n"), "labels has the label 'b' twice, as number 2 and as number 4.");
  EXPECT_EQ(refusal("a\n\xe9\n"), "labels, line 2 is not UTF-8 text: '?'; save the file as UTF-8.");
  EXPECT_EQ(refusal("0 a\n1 b\n3 c\n"), "labels numbers its labels, but has 3 where 2 is expected.");
  EXPECT_EQ(refusal("2 a\n3 b\n"), "labels numbers its labels, but has 2 where 1 is expected.");
  EXPECT_EQ(refusal("0 a\n0 b\n"), "labels numbers its labels, but has 0 where 1 is expected.");
  const std::string not_labels =
      "labels is JSON, but neither a list of names nor an object of names and their numbers.";
  EXPECT_EQ(refusal("{}"), not_labels);
  EXPECT_EQ(refusal("[1, 2]"), not_labels);
  EXPECT_EQ(refusal("{\"a\": -1}"), not_labels);
  EXPECT_EQ(refusal("{\"a\": {}}"), not_labels);
  EXPECT_EQ(refusal("[\"a\", \" \"]"), "labels has no name for label 2.");
  EXPECT_NE(refusal("[\"a\"").find("not valid JSON"), std::string::npos);
}

TEST(Labels, LoadsByNameOrFromAFile) {
  const TemporaryDirectory folder;
  EXPECT_TRUE(load_labels("none").empty());
  EXPECT_EQ(load_labels("something_something_v2"), builtin_labels("something_something_v2"));
  EXPECT_EQ(load_labels(folder.write("labels", "a\n")), std::vector<std::string>{"a"});
  EXPECT_THROW(load_labels("kinetics600"), Error);
  EXPECT_THROW(read_labels(folder / "absent.txt"), Error);
  EXPECT_THROW(read_labels(folder.path()), Error);
}

}  // namespace
}  // namespace tpn
