// What every communicator has to do.
#pragma once

#include <cstddef>
#include <future>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "engine/parallel/communicator.h"

namespace tpn::test {

/// For mpirun on one machine of any size, whatever its network, as root too; of Open MPI 4 and, PRTE's, of 5.
inline std::vector<std::string> mpirun_environment() {
  return {"OMPI_ALLOW_RUN_AS_ROOT=1",
          "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
          "OMPI_MCA_btl=^tcp",
          "OMPI_MCA_rmaps_base_oversubscribe=1",
          "OMPI_MCA_hwloc_base_binding_policy=none",
          "PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe",
          "PRTE_MCA_hwloc_default_binding_policy=none",
          "OMP_WAIT_POLICY=passive"};
}

/// Makes exchanges of all kinds, and says which came out wrong.
inline std::string wrong_exchanges(Communicator& communicator) {
  std::string wrong;
  const auto expect = [&](bool right, const std::string& what) {
    if (!right) wrong += what + "; ";
  };
  const int rank = communicator.rank(), size = communicator.size();
  const int sum_of_ranks = size * (size - 1) / 2;
  const auto of_all = static_cast<float>(sum_of_ranks);

  // Several sums are under way at once, from one element to megabytes.
  std::vector<std::shared_ptr<std::vector<float>>> values;
  std::vector<std::future<void>> done;
  for (const std::size_t count : {1U, 1000U, 3'000'001U, 17U}) {
    values.push_back(std::make_shared<std::vector<float>>(count));
    for (std::size_t i = 0; i < count; ++i) {
      (*values.back())[i] = static_cast<float>(rank) + static_cast<float>(i % 7);
    }
    done.push_back(communicator.start_sum(*values.back(), values.back()));
  }
  std::vector<double> numbers{1, static_cast<double>(rank), 1e-300 * rank};
  communicator.sum(numbers);
  expect(
      numbers == std::vector<double>{static_cast<double>(size), of_all, 1e-300 * static_cast<double>(of_all)},
      "a sum of doubles");
  for (std::size_t n = 0; n < values.size(); ++n) {
    done[n].get();
    bool right = true;
    for (std::size_t i = 0; i < values[n]->size(); ++i) {
      right = right && (*values[n])[i] == of_all + static_cast<float>(size) * static_cast<float>(i % 7);
    }
    expect(right, "sum " + std::to_string(n));
  }

  const std::vector<float> own{static_cast<float>(rank), 5};
  std::vector<float> all(own.size() * static_cast<std::size_t>(size));
  communicator.gather(own, all);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::size_t of_rank = i / 2;
    expect(all[i] == (i % 2 == 0 ? static_cast<float>(of_rank) : 5.0F), "what was gathered");
  }
  expect(broadcast(communicator, rank == 0 ? "of rank 0" : "of another, and longer") == "of rank 0",
         "a text for all");
  expect(broadcast(communicator, rank == 0 ? "" : "x").empty(), "an empty text");
  expect(any_rank(communicator, rank == size - 1), "what one says");
  expect(!any_rank(communicator, false), "what nobody says");
  expect(communicator.local_rank() == rank && communicator.local_size() == size, "who is on this machine");
  communicator.barrier();
  return wrong;
}

}  // namespace tpn::test
