#include "engine/finetuning/run_log.h"

#include <array>
#include <fstream>
#include <optional>
#include <string>

#include "engine/model/json_reader.h"
#include "engine/model/output_file.h"
#include "engine/report/json_text.h"

namespace tpn {
namespace {

/// Of a line of the log; none where it has no step.
std::optional<std::int64_t> step_of(const nlohmann::json& line) {
  const auto found = line.find("step");
  if (found == line.end() || !found->is_number_integer()) return std::nullopt;
  return found->get<std::int64_t>();
}

/// The file of the log, without what it says of later steps.
std::filesystem::path cut_behind(const std::filesystem::path& path, std::int64_t steps) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return path;
  std::string kept, line;
  while (std::getline(file, line)) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    const auto step = json.is_object() ? step_of(json) : std::nullopt;
    if (!step || *step > steps) break;
    kept += line + '\n';
  }
  OutputFile shorter(path);
  shorter.write(kept);
  shorter.commit();
  return path;
}

}  // namespace

RunLog::RunLog(const WorkFolder& folder, std::int64_t steps)
    : lines_(cut_behind(folder.log(), steps)),
      events_(folder.path(), steps > 0 ? std::optional(steps + 1) : std::nullopt) {}

void RunLog::add(const StepRecord& step) {
  lines_.write(JsonObject()
                   .add("step", step.step)
                   .add("epoch", step.epoch)
                   .add("clips", step.clips)
                   .add("loss", step.loss)
                   .add("loss_aux", step.auxiliary_loss)
                   .add("learning_rate", step.learning_rate)
                   .add("gradient_norm", step.gradient_norm)
                   .add("data_seconds", step.data_seconds)
                   .add("seconds", step.seconds));
  const auto value = [](double number) { return static_cast<float>(number); };
  const std::array<EventScalar, 4> scalars{{{"train/loss", value(step.loss)},
                                            {"train/loss_aux", value(step.auxiliary_loss)},
                                            {"train/learning_rate", value(step.learning_rate)},
                                            {"train/gradient_norm", value(step.gradient_norm)}}};
  events_.add(step.step, scalars);
}

void RunLog::add(const EpochRecord& epoch, std::int64_t steps) {
  JsonObject line;
  line.add("step", steps)
      .add("epoch_done", epoch.epoch)
      .add("train_loss", epoch.loss)
      .add("train_top1", epoch.top1);
  if (epoch.validated) {
    const Accuracy& found = epoch.validation;
    line.add("val_loss", found.loss)
        .add("val_top1", found.top1)
        .add("val_top5", found.top5)
        .add("val_mean_class", found.mean_class);
    const auto value = [](double number) { return static_cast<float>(number); };
    const std::array<EventScalar, 4> scalars{{{"val/loss", value(found.loss)},
                                              {"val/top1", value(found.top1)},
                                              {"val/top5", value(found.top5)},
                                              {"val/mean_class_accuracy", value(found.mean_class)}}};
    events_.add(steps, scalars);
  }
  lines_.write(line);
}

std::vector<StepRecord> read_steps(const std::filesystem::path& log) {
  std::vector<StepRecord> steps;
  std::ifstream file(log, std::ios::binary);
  std::string line;
  while (std::getline(file, line)) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object() || !json.contains("clips")) continue;
    const auto number = [&](const char* name) {
      const auto found = json.find(name);
      return found != json.end() && found->is_number() ? found->get<double>() : 0.0;
    };
    steps.push_back({.step = static_cast<std::int64_t>(number("step")),
                     .epoch = static_cast<std::int64_t>(number("epoch")),
                     .clips = static_cast<std::int64_t>(number("clips")),
                     .loss = number("loss"),
                     .auxiliary_loss = number("loss_aux"),
                     .learning_rate = number("learning_rate"),
                     .gradient_norm = number("gradient_norm"),
                     .data_seconds = number("data_seconds"),
                     .seconds = number("seconds")});
  }
  return steps;
}

}  // namespace tpn
