// write_sample_events FOLDER: the event files of a run of 100 steps that was ended and goes on from step 50,
// for tensorboard_test.sh.
#include <cstdint>
#include <exception>
#include <iostream>
#include <vector>

#include "engine/report/event_file.h"

namespace {

void write_steps(tpn::EventFile& file, std::int64_t first, std::int64_t last, float offset) {
  for (std::int64_t step = first; step < last; ++step) {
    const std::vector<tpn::EventScalar> scalars = {
        {"train/loss", offset + 1.0F / static_cast<float>(step + 1)}, {"train/learning_rate", 0.001F}};
    file.add(step, scalars);
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) return 2;
  tpn::EventFile ended(argv[1]);
  write_steps(ended, 0, 60, 0);
  tpn::EventFile resumed(argv[1], 50);
  write_steps(resumed, 50, 100, 1);
  return 0;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
