// Runs a fuzz target once over every file named on the command line, folders included: main() of the fuzzers
// where libFuzzer is not linked.
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void run_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("Cannot read " + path.string() + ".");
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  std::cerr << path.string()
            << std::endl;  // flushed before the run: the last line names the file that crashed
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::size_t files = 0;
    for (int i = 1; i < argc; ++i) {
      if (!std::filesystem::is_directory(argv[i])) {
        run_file(argv[i]);
        ++files;
        continue;
      }
      for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
        if (!entry.is_regular_file()) continue;
        run_file(entry.path());
        ++files;
      }
    }
    std::cout << files << " files replayed\n";
    return files == 0 ? 1 : 0;
  } catch (const std::exception& error) {
    std::cerr << "exception: " << error.what() << '\n';
    return 1;
  }
}
