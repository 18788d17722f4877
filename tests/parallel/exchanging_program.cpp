// One of several processes that make the exchanges of exchange_checks.h, or of which one fails.
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

#include "engine/parallel/launch.h"
#include "tests/parallel/exchange_checks.h"

namespace {

void say(const tpn::Communicator& processes, const std::string& text) {
  (void)std::fputs(("rank " + std::to_string(processes.rank()) + " " + text + "\n").c_str(), stderr);
}

/// Rank 1 fails; rank 0 waits for it, and the others come to their exchange later.
void fail(tpn::ProcessGroup& processes) {
  if (processes.rank() == 1) {
    processes.fail("no more paper");
    processes.abort(7);
  }
  if (processes.rank() > 1) std::this_thread::sleep_for(std::chrono::seconds(1));
  try {
    processes.barrier();
    say(processes, "hears nothing");
  } catch (const tpn::RankFailure& failure) {
    say(processes, std::string("hears: ") + failure.what());
  }
  processes.abort(1);
}

}  // namespace

int main(int argc, char** argv) {
  const auto processes = tpn::join_processes();
  if (argc > 1 && std::string(argv[1]) == "fail") fail(*processes);
  const std::string wrong = tpn::test::wrong_exchanges(*processes);
  if (!wrong.empty()) say(*processes, "found wrong: " + wrong);
  return wrong.empty() ? 0 : 1;
}
