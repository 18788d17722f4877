#include "engine/report/append_file.h"

#include <csignal>
#include <string>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "engine/model/output_target.h"
#include "engine/report/json_lines.h"
#include "tests/support/temporary_directory.h"

namespace tpn {
namespace {

using test::read_file;

TEST(AppendFile, GoesOnBehindWhatIsThere) {
  const test::TemporaryDirectory folder;
  const auto path = folder.write("log", "first\n");
  AppendFile file(path, AppendFile::Existing::extend);
  file.append("second");
  EXPECT_EQ(read_file(path), "first\nsecond");  // while the file is open
  file.append("\n");
  EXPECT_EQ(read_file(path), "first\nsecond\n");
}

TEST(AppendFile, RefusesWhatIsThere) {
  const test::TemporaryDirectory folder;
  const auto path = folder.write("log", "first\n");
  EXPECT_THROW(AppendFile(path, AppendFile::Existing::refuse), OutputError);
  EXPECT_EQ(read_file(path), "first\n");
}

TEST(AppendFile, CutsTheLineThatWasNotFinished) {
  const test::TemporaryDirectory folder;
  const std::string far(10000, 'x');  // further back than one read reaches
  const std::string far_line = far + '\n';
  for (const auto& [before, after] : {std::pair<std::string, std::string>{"one\ntwo", "one\n"},
                                      {"one\ntwo\n", "one\ntwo\n"},
                                      {"one\n" + far, "one\n"},
                                      {far_line + far, far_line},
                                      {far, ""},
                                      {"", ""}}) {
    const auto path = folder.write("log", before);
    AppendFile file(path, AppendFile::Existing::extend);
    file.cut_unfinished_line();
    EXPECT_EQ(read_file(path), after);
    file.append("new\n");
    EXPECT_EQ(read_file(path), after + "new\n");
  }
}

TEST(AppendFile, LeavesNoHalfRecordWhereTheDiskIsFull) {
  const test::TemporaryDirectory folder;
  const auto path = folder / "log";
  AppendFile file(path, AppendFile::Existing::extend);
  file.append("whole\n");
  // A limit on the size of files ends a write as a full disk does: after a part of it.
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_NE(handler, SIG_ERR);
  const rlimit limit{10, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  std::string message;
  try {
    file.append("too long\n");
  } catch (const OutputError& error) {
    message = error.what();
  }
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(std::signal(SIGXFSZ, handler), SIG_IGN);
  EXPECT_NE(message.find(path.string()), std::string::npos) << message;
  EXPECT_EQ(read_file(path), "whole\n");
  file.append("again\n");
  EXPECT_EQ(read_file(path), "whole\nagain\n");
}

TEST(JsonLines, EachLineIsThereWhenItIsWritten) {
  const test::TemporaryDirectory folder;
  const auto path = folder.write("log.jsonl", "{\"step\":1}\n{\"ste");
  JsonLines log(path);
  log.write(JsonObject().add("step", 2));
  EXPECT_EQ(read_file(path), "{\"step\":1}\n{\"step\":2}\n");
}

}  // namespace
}  // namespace tpn
