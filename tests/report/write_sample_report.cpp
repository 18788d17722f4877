// write_sample_report OUT CLASSES EPOCHS STEPS-PER-EPOCH: a page for browser_test.sh, and for whoever changes
// its looks.
#include <exception>
#include <iostream>
#include <string>

#include "engine/report/html_report.h"
#include "tests/report/sample_report.h"

int main(int argc, char** argv) try {
  if (argc != 5) return 2;
  tpn::write_html_report(
      tpn::test::sample_report({std::stoul(argv[2]), std::stol(argv[3]), std::stol(argv[4])}), argv[1]);
  return 0;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
