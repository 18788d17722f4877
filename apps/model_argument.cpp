#include "apps/model_argument.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>

#include "engine/model/cache_folder.h"
#include "engine/model/mapped_file.h"
#include "engine/model/model_file.h"
#include "kernels/error.h"
#include "weights_converter/checkpoint.h"
#include "weights_converter/convert.h"
#include "weights_converter/sha256.h"

namespace tpn::app {
namespace {

bool is_checkpoint(const std::filesystem::path& file) {
  const auto mapped = MappedFile::open(file);
  return mapped.ok() && Checkpoint::has_signature(mapped->bytes());
}

std::optional<struct ::stat> status_of(const std::filesystem::path& file) {
  struct ::stat status = {};
  return ::stat(file.c_str(), &status) == 0 ? std::optional(status) : std::nullopt;
}

std::string digits_of(std::string_view text, std::size_t count) {
  return sha256_hex(std::as_bytes(std::span(text))).substr(0, count);
}

std::string time_text(const ::timespec& time) {
  return std::to_string(time.tv_sec) + '.' + std::to_string(time.tv_nsec);
}

/// Some file systems keep whole seconds only.
bool is_same_time(const ::timespec& kept, const ::timespec& source) {
  return kept.tv_sec == source.tv_sec && (kept.tv_nsec == source.tv_nsec || kept.tv_nsec == 0);
}

/// A checkpoint's place in the cache.
class CachePlace {
 public:
  CachePlace(const std::filesystem::path& folder, const std::filesystem::path& checkpoint,
             const struct ::stat& status)
      : folder_(folder), time_(status.st_mtim) {
    constexpr std::size_t longest_stem = 100;
    constexpr std::size_t place_digits = 8;
    constexpr std::size_t state_digits = 16;
    std::error_code ignored;
    const std::filesystem::path real = std::filesystem::canonical(checkpoint, ignored);
    prefix_ = checkpoint.stem().string().substr(0, longest_stem) + '-' +
              digits_of(real.string(), place_digits) + '-';
    const std::string state = std::to_string(status.st_ino) + ' ' + std::to_string(status.st_size) + ' ' +
                              time_text(status.st_mtim) + ' ' + time_text(status.st_ctim) + ' ' +
                              TPN_VERSION + ' ' + std::to_string(converter_revision);
    name_ = prefix_ + digits_of(state, state_digits) + ".safetensors";
  }

  [[nodiscard]] std::filesystem::path file() const { return folder_ / name_; }
  [[nodiscard]] bool exists() const { return status_of(file()).has_value(); }

  /// Whether the file is as seal() left it, and a model.
  [[nodiscard]] bool is_usable() const {
    const auto status = status_of(file());
    if (!status || !is_same_time(status->st_mtim, time_)) return false;
    try {
      static_cast<void>(open_model_file(file()));
      return true;
    } catch (const Error&) {
      return false;
    }
  }

  /// Makes what was converted usable, and removes what came of earlier states of the checkpoint.
  void seal() const {
    const std::array<::timespec, 2> times{time_, time_};                      // of access and of modification
    if (::utimensat(AT_FDCWD, file().c_str(), times.data(), 0) != 0) return;  // then it is converted anew
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(folder_, ignored)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with(prefix_) && name.ends_with(".safetensors") && name != name_) {
        std::filesystem::remove(entry.path(), ignored);
      }
    }
  }

 private:
  std::filesystem::path folder_;
  ::timespec time_;
  std::string prefix_;
  std::string name_;
};

/// The model cannot be written there.
struct WriteFailure : Error {
  using Error::Error;
};

/// Returns what is to be said of the model. Throws WriteFailure, or Error when the checkpoint is refused.
std::string convert_to(const std::filesystem::path& checkpoint, const std::filesystem::path& out) {
  const auto report = [&] {
    try {
      return convert_checkpoint(checkpoint, out, {});
    } catch (const Error& error) {
      throw WriteFailure(error.what());
    }
  }();
  if (!report) throw Error(report.failure().message);
  return report->labels.empty() ? " Its classes have no names; tpn_convert --labels puts some in." : "";
}

std::filesystem::path make_temporary_folder() {
  std::error_code error;
  std::string pattern = (std::filesystem::temp_directory_path(error) / "tpn-model-XXXXXX").string();
  if (!error && ::mkdtemp(pattern.data()) != nullptr) return pattern;
  const std::string reason = error ? error.message() : std::generic_category().message(errno);
  throw Error("A temporary folder for the converted model cannot be made (" + reason +
              "); convert the checkpoint with tpn_convert.");
}

}  // namespace

ModelArgument::ModelArgument(const std::filesystem::path& given, const Say& say) : path_(given) {
  if (!is_checkpoint(given)) return;
  const auto status = status_of(given);
  const auto cache = cache_folder();
  std::string reason = "no folder for it is known; TPN_CACHE_DIR names one";
  if (cache && status) {
    const std::filesystem::path folder = *cache / "models";
    const CachePlace place(folder, given, *status);
    path_ = place.file();
    if (place.is_usable()) return;
    const bool damaged = place.exists();
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    try {
      const std::string remark = convert_to(given, path_);
      place.seal();
      say(given.string() + " is a checkpoint: converted" +
          (damaged ? " anew, since the kept model was damaged," : "") + " and kept as " + path_.string() +
          "." + remark);
      return;
    } catch (const WriteFailure& failure) {
      reason = failure.what();
      reason.pop_back();  // the full stop
    }
  }
  temporary_folder_ = make_temporary_folder();
  at_interrupt_.emplace([folder = temporary_folder_] {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
    return std::string();
  });
  path_ = temporary_folder_ / "model.safetensors";
  try {
    const std::string remark = convert_to(given, path_);
    say(given.string() + " is a checkpoint: converted for this run only, since the cache cannot be used (" +
        reason + ")." + remark);
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove_all(temporary_folder_, ignored);
    throw;
  }
}

ModelArgument::~ModelArgument() {
  std::error_code ignored;
  if (!temporary_folder_.empty()) std::filesystem::remove_all(temporary_folder_, ignored);
}

}  // namespace tpn::app
