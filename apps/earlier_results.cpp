#include "apps/earlier_results.h"

#include <algorithm>
#include <fstream>
#include <string_view>

#include <nlohmann/json.hpp>

#include "apps/result_format.h"
#include "kernels/digest.h"
#include "kernels/error.h"

namespace tpn::app {

std::string run_name(const std::string& model, const RecognizerOptions& options, const ResultFormat& format) {
  Digest digest;
  digest.add(model + options.frames + ",");
  for (const int option :
       {static_cast<int>(options.precision), options.clips, options.crops,
        static_cast<int>(options.accurate_color), format.top, static_cast<int>(format.all_scores)}) {
    digest.add(std::to_string(option) + ",");
  }
  return digest.text();
}

EarlierResults::EarlierResults(const std::filesystem::path& file, const std::string& run) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) {
    if (std::filesystem::exists(file))
      throw OptionError(file.string() + " cannot be read, to go on with it.");
    return;
  }
  whole_ = for_each_whole_line(stream, [&](const std::string& line, int number) {
    const auto result = nlohmann::json::parse(line, nullptr, false);
    if (!result.is_object() || !result.contains("input") || !result["input"].is_string() ||
        !result.contains("run") || !result["run"].is_string()) {
      throw OptionError(file.string() + ", line " + std::to_string(number) +
                        ", is no result of tpn_infer --format json; it is left as it is.");
    }
    if (result["run"] != run) {
      throw OptionError(
          file.string() + ", line " + std::to_string(number) +
          ", was made with another model or other options (--views, --precision, --top, --scores, "
          "--accurate-color); resume with the same, or name another file.");
    }
    ++counts_[result["input"].get<std::string>()];
    if (result.contains("error")) ++failures_;
  });
}

std::size_t EarlierResults::take_from(std::vector<std::string>& inputs) const {
  std::map<std::string, int> left = counts_;
  return std::erase_if(inputs, [&](const std::string& input) {
    const auto found = left.find(shown_name(input));
    return found != left.end() && found->second-- > 0;
  });
}

}  // namespace tpn::app
