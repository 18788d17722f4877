// Writes the sample evaluation in every form into a folder, for other programs to read.
#include <filesystem>
#include <fstream>
#include <iostream>

#include "engine/evaluation/json_dump.h"
#include "engine/evaluation/score_dump.h"
#include "tests/evaluation/sample_run.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: write_sample_dump FOLDER\n";
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  const tpn::EvaluationRun run = tpn::test::sample_run();
  std::ofstream lines(folder / "scores.jsonl", std::ios::binary);
  lines << heading_line(run);
  for (const tpn::EvaluatedVideo& video : tpn::test::sample_videos()) lines << video_line(video);
  for (const char* name : {"scores.pkl", "scores.npy", "scores.csv"}) {
    const auto dump = open_score_dump(folder / name, tpn::dump_format_of(name), run);
    for (const tpn::EvaluatedVideo& video : tpn::test::sample_videos()) dump->add(video);
    dump->finish();
  }
}
