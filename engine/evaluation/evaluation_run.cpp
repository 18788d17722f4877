#include "engine/evaluation/evaluation_run.h"

#include "engine/model/text.h"
#include "kernels/error.h"

namespace tpn {
namespace {

Shard checked(std::size_t index, std::size_t count, const std::string& from) {
  if (count >= 1 && index >= 1 && index <= count) return {index, count};
  throw Error(from + " asks for part " + std::to_string(index) + " of " + std::to_string(count) +
              "; parts are numbered from 1.");
}

std::size_t value_of(const char* name, Variable environment, std::optional<std::size_t> otherwise) {
  const std::optional<std::string> text = environment(name);
  const auto number = text ? parse_number<std::size_t>(*text) : otherwise;
  if (number) return *number;
  throw Error(text ? std::string(name) + " is " + in_quotes(*text) + ", which is no number."
                   : std::string(name) + " is not set.");
}

Shard shard_of_environment(Variable environment) {
  if (environment("SLURM_ARRAY_TASK_ID")) {
    const std::size_t id = value_of("SLURM_ARRAY_TASK_ID", environment, {});
    const std::size_t least = value_of("SLURM_ARRAY_TASK_MIN", environment, 0);
    const std::size_t step = value_of("SLURM_ARRAY_TASK_STEP", environment, 1);
    const std::size_t count = value_of("SLURM_ARRAY_TASK_COUNT", environment, {});
    if (step == 0 || id < least || (id - least) % step != 0) {
      throw Error("The numbers of this Slurm array are not evenly spaced; give --shard i/n.");
    }
    return checked((id - least) / step + 1, count, "The Slurm array");
  }
  if (environment("OMPI_COMM_WORLD_RANK")) {
    return checked(value_of("OMPI_COMM_WORLD_RANK", environment, {}) + 1,
                   value_of("OMPI_COMM_WORLD_SIZE", environment, {}), "Open MPI");
  }
  throw Error("--shard auto: this is neither a task of a Slurm array nor a rank of Open MPI.");
}

}  // namespace

Shard parse_shard(const std::string& text, Variable environment) {
  if (text == "auto") return shard_of_environment(environment);
  const std::size_t slash = text.find('/');
  const auto index = parse_number<std::size_t>(text.substr(0, slash));
  const auto count =
      slash == std::string::npos ? std::nullopt : parse_number<std::size_t>(text.substr(slash + 1));
  if (!index || !count) {
    throw Error("A part of the list is given as i/n, for example 2/8, or auto, not as " + in_quotes(text) +
                ".");
  }
  return checked(*index, *count, "--shard " + text);
}

void require_same_run(const EvaluationRun& a, const EvaluationRun& b, const std::string& place) {
  const auto same = [&](bool equal, const std::string& what) {
    if (!equal) throw Error(place + " was made with another " + what + ".");
  };
  same(a.model_digest == b.model_digest && a.classes == b.classes, "model");
  same(a.list_digest == b.list_digest && a.entries == b.entries, "list");
  same(a.clips == b.clips && a.crops == b.crops, "number of views");
  same(a.short_side == b.short_side && a.crop_size == b.crop_size, "size of pictures");
  same(a.averaging == b.averaging, "average of views");
  same(a.precision == b.precision, "precision");
  same(a.accurate_color == b.accurate_color, "conversion of colours");
  same(a.least_frames == b.least_frames && a.protocol == b.protocol, "protocol");
}

}  // namespace tpn
