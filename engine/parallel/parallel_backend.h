// A device that exchanges tensors with those of other processes.
#pragma once

#include <memory>

#include "engine/parallel/communicator.h"
#include "kernels/backend.h"

namespace tpn {

/// What `device` does, and ops::AllGather among the ranks of the communicator: by `collectives`, else by way
/// of the host's memory.
std::shared_ptr<const Backend> make_parallel_backend(std::shared_ptr<const Backend> device,
                                                     std::shared_ptr<Communicator> communicator,
                                                     std::shared_ptr<Collectives> collectives = nullptr);

}  // namespace tpn
