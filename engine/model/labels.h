// Class names of the data sets that the released models were trained on.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tpn {

/// The names that builtin_labels() takes:
/// kinetics400                 Kinetics-400, sorted: mmaction2's order and decisionforce/TPN's
/// something_something_v1      Something-Something V1 in the order of its own list: mmaction2's
/// something_something_v1_sorted  the same 174 names sorted, as decisionforce/TPN's data preparation has them
/// something_something_v2      Something-Something V2 in the order of its own list
const std::vector<std::string>& builtin_label_names();

/// Throws Error for a name that is not one of those.
const std::vector<std::string>& builtin_labels(std::string_view name);

/// Class names in a file, UTF-8 with or without a byte order mark, surrounding white space ignored:
/// one a line; or lines of number and name ("7,playing chess", "8 skiing"), from 0 or from 1 in any order,
/// perhaps below a heading ("id,name"); or JSON: a list of names, or an object {"name": number}. Throws
/// Error, naming the file and the line, when it is none of these, is empty, lacks a name or has one twice.
std::vector<std::string> read_labels(const std::filesystem::path& path);

/// The built-in labels of that name, none for "none", or else those in that file.
std::vector<std::string> load_labels(const std::string& name_or_path);

}  // namespace tpn
