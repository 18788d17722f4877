#include "engine/data/check_samples.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <mutex>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include "engine/model/text.h"
#include "engine/video/quantity.h"
#include "kernels/caught.h"
#include "kernels/work_sharing.h"

namespace tpn {
namespace {

/// What is known of a file.
struct FileReport {
  std::string identity;  // the same for all names of a file
  std::string fault;     // why it cannot be used; empty when it can
};

FileReport look_at(const Sample& sample, const CheckOptions& options) {
  FileReport report;
  std::error_code error;
  report.identity = std::filesystem::weakly_canonical(sample.path, error).string();
  if (error) report.identity = sample.path.string();
  const Result<std::int64_t> frames = caught([&] {
    return open_frames(sample.path.string(), options.decode, options.raw_frames, sample.frames)
        ->info()
        .frames;
  });
  if (!frames) {
    report.fault = frames.failure().message;
  } else if (*frames < options.least_frames) {
    report.fault = sample.path.string() + ": it has " + count_of(*frames, "frame") + ", but " +
                   std::to_string(options.least_frames) + " or more are expected.";
  }
  return report;
}

/// Looks at all samples, several at a time.
std::vector<FileReport> look_at_all(const std::vector<const Sample*>& samples, const CheckOptions& options) {
  std::vector<FileReport> reports(samples.size());
  std::mutex progress;
  std::size_t done = 0;
  share_work(samples.size(), options.threads, [&](std::size_t i) {
    reports[i] = look_at(*samples[i], options);
    const std::lock_guard lock(progress);
    ++done;
    if (options.progress) options.progress(done, samples.size());
  });
  return reports;
}

/// Collects the faults of one list.
class ListCheck {
 public:
  ListCheck(const SampleList& list, bool is_validation, std::int64_t classes)
      : list_(list), is_validation_(is_validation), classes_(classes) {
    for (const std::string& fault : list.faults) add(fault);
  }

  /// Labels that are counted from 1, by which those that equal the number of classes are explained.
  void check_first_label() {
    if (list_.samples.empty()) return;
    const auto [least, most] = std::ranges::minmax(list_.samples, {}, &Sample::label);
    const std::int64_t last = classes_ > 0 ? classes_ : most.label;
    if (least.label != 1 || most.label != last) return;
    counted_from_one_ = true;
    add(list_.name + ": its labels go from 1 to " + std::to_string(last) +
        "; they seem to be counted from 1, but have to be counted from 0.");
    faults_.back().skippable = false;
  }

  void check_label(std::size_t i) {
    const std::int64_t label = list_.samples[i].label;
    if (label < 0) {
      add(i, "its label " + std::to_string(label) + " is negative");
    } else if (classes_ > 0 && label >= classes_ && !counted_from_one_) {
      add(i, "its label " + std::to_string(label) + " is not below the number of classes, " +
                 std::to_string(classes_));
    }
  }

  void check_file(std::size_t i, const FileReport& report) {
    if (report.fault.empty()) return;
    add_text(i, about(list_.samples[i], report.fault));
  }

  /// `others`: files and the origins of entries that were seen before, to which the list's are added.
  void check_repetition(std::size_t i, const std::string& file, std::map<std::string, std::string>& others) {
    const auto [place, added] = others.try_emplace(file, list_.samples[i].origin);
    if (!added) add(i, "the same file is in " + place->second);
  }

  void check_classes_without_samples() {
    const std::int64_t classes = classes_ > 0 ? classes_ : class_count(list_);
    if (counted_from_one_) return;
    std::vector<bool> has_sample(static_cast<std::size_t>(classes));
    for (const Sample& sample : list_.samples) {
      if (sample.label >= 0 && sample.label < classes)
        has_sample[static_cast<std::size_t>(sample.label)] = true;
    }
    const auto missing = std::ranges::count(has_sample, false);
    if (missing == 0) return;
    constexpr std::int64_t most_names = 5;
    std::string names;
    std::int64_t named = 0;
    for (std::size_t i = 0; i < has_sample.size() && named < most_names; ++i) {
      if (has_sample[i]) continue;
      const bool has_name = i < list_.classes.size();
      names += (named++ > 0 ? ", " : "") + (has_name ? in_quotes(list_.classes[i]) : std::to_string(i));
    }
    add(list_.name + ": " + std::to_string(missing) + " of the " + std::to_string(classes) + " classes " +
        (missing == 1 ? "has" : "have") + " no sample: " + names + (missing > named ? ", ..." : "") + ".");
  }

  std::vector<SampleFault> take() { return std::move(faults_); }

 private:
  void add(const std::string& message) { faults_.push_back({message, std::nullopt, is_validation_}); }
  void add_text(std::size_t i, const std::string& message) {
    faults_.push_back({message, i, is_validation_});
  }
  void add(std::size_t i, const std::string& clause) {
    add_text(i, list_.samples[i].origin + ": " + clause + ".");
  }

  const SampleList& list_;
  bool is_validation_;
  std::int64_t classes_;  // 0: not known
  bool counted_from_one_ = false;
  std::vector<SampleFault> faults_;
};

}  // namespace

std::vector<SampleFault> check_samples(const SampleList& train, const SampleList* validation,
                                       const CheckOptions& options) {
  std::vector<const Sample*> samples;
  samples.reserve(train.samples.size() + (validation == nullptr ? 0 : validation->samples.size()));
  for (const Sample& sample : train.samples) samples.push_back(&sample);
  if (validation != nullptr) {
    for (const Sample& sample : validation->samples) samples.push_back(&sample);
  }
  const std::vector<FileReport> reports = look_at_all(samples, options);

  std::vector<SampleFault> faults;
  std::map<std::string, std::string> files;
  const auto check = [&](const SampleList& list, std::span<const FileReport> of_list) {
    const bool is_validation = &list == validation;
    std::int64_t classes = options.classes > 0 ? options.classes : std::ssize(train.classes);
    if (classes == 0 && is_validation) classes = class_count(train);
    ListCheck of_one(list, is_validation, classes);
    of_one.check_first_label();
    for (std::size_t i = 0; i < list.samples.size(); ++i) {
      of_one.check_label(i);
      of_one.check_repetition(i, of_list[i].identity, files);
      of_one.check_file(i, of_list[i]);
    }
    if (!is_validation) of_one.check_classes_without_samples();
    std::ranges::move(of_one.take(), std::back_inserter(faults));
  };
  check(train, std::span(reports).first(train.samples.size()));
  if (validation != nullptr) check(*validation, std::span(reports).subspan(train.samples.size()));
  return faults;
}

}  // namespace tpn
