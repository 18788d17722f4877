// How a program learns that it is one process of several.
#pragma once

#include <memory>
#include <optional>

#include "engine/parallel/communicator.h"

namespace tpn {

/// What mpirun, srun and the like tell a process in its environment.
struct Launch {
  int rank = 0;
  int size = 1;
};

/// None for a process that was started alone.
std::optional<Launch> launched_among_others();

/// A communicator of processes that mpirun started.
class ProcessGroup : public Communicator {
 public:
  /// Ends this process, and with it those of the others that have not ended within some seconds, so that
  /// every rank can say its sentence first. status: of the program; the highest of all ranks is that of
  /// mpirun.
  [[noreturn]] virtual void abort(int status) noexcept = 0;
};

/// Joins the other processes. Throws OptionError when this build cannot. To be called once.
std::shared_ptr<ProcessGroup> join_processes();

}  // namespace tpn
