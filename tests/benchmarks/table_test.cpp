#include "benchmarks/table.h"

#include <gtest/gtest.h>

namespace tpn::benchmarks {
namespace {

TEST(Table, AlignsTextLeftAndNumbersRight) {
  Table table({"<name", "ms", "<note"});
  table.add_row({"a", "1.5", "first"});
  table.add_row({"longer", "10.25", ""});
  EXPECT_EQ(table.text(),
            "name       ms  note\n"
            "a         1.5  first\n"
            "longer  10.25\n");
}

}  // namespace
}  // namespace tpn::benchmarks
