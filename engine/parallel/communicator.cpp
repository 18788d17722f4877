#include "engine/parallel/communicator.h"

namespace tpn {

std::string broadcast(Communicator& communicator, std::string text) {
  auto size = static_cast<double>(communicator.rank() == 0 ? text.size() : 0);
  communicator.sum({&size, 1});
  text.resize(static_cast<std::size_t>(size));
  communicator.broadcast(std::as_writable_bytes(std::span(text)));
  return text;
}

bool any_rank(Communicator& communicator, bool here) {
  double count = here ? 1 : 0;
  communicator.sum({&count, 1});
  return count > 0;
}

DeviceRank device_rank(Communicator& communicator) {
  return {.rank = communicator.rank(),
          .ranks = communicator.size(),
          .broadcast = [&communicator](std::span<std::byte> bytes) { communicator.broadcast(bytes); },
          .all = [&communicator](bool here) { return !any_rank(communicator, !here); }};
}

}  // namespace tpn
