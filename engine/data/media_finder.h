// Where the videos lie that lists call by an id. Internal to sample_list.cpp.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>

namespace tpn {

/// Reads every folder once.
class MediaFinder {
 public:
  explicit MediaFinder(std::filesystem::path root) : root_(std::move(root)) {}

  /// The path that an entry stands for. One that has the end of a video's name is taken as it is; else it is
  /// what is called so, with or without such an end, in the root or in the folder there of the class's name
  /// (or that with _ for blanks). Where there is nothing, the path in the root.
  std::filesystem::path locate(const std::string& path, const std::string& label);

 private:
  struct Listing {
    std::set<std::string> names;
    std::map<std::string, std::string> videos;  // names by what stands before their end
  };
  const Listing& list(const std::filesystem::path& folder);

  std::filesystem::path root_;
  std::map<std::string, Listing> listings_;
};

}  // namespace tpn
