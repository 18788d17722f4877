// Lines of a file that a program wrote one by one until it was killed.
#pragma once

#include <cstdint>
#include <istream>
#include <string>

namespace tpn {

struct WholeLines {
  std::uint64_t bytes = 0;  ///< of the lines that have an end, with their ends
  bool torn = false;        ///< whether there is a last line without one
};

/// Calls body(line, number from 1) for every line that has an end.
template <class Body>
WholeLines for_each_whole_line(std::istream& file, const Body& body) {
  WholeLines whole;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (file.eof()) {
      whole.torn = true;
      break;
    }
    body(line, number);
    whole.bytes += line.size() + 1;
  }
  return whole;
}

}  // namespace tpn
