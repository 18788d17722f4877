// Places in the program, for findings.
#pragma once

#include <cstdint>
#include <string>

namespace tpn::cuda_on_cpu {

/// A return address as a number that fits in 32 bits: its distance from the program's start. 0 stands for
/// none.
std::uint32_t place_of(const void* return_address);

/// "conv.cu:12", the innermost line that is not a wrapper's; the number where the program has no line table
/// or the machine no addr2line.
std::string describe_place(std::uint32_t place);

/// Whether the address lies in the code or the data of the program or one of its libraries.
bool is_in_program(const void* address);

}  // namespace tpn::cuda_on_cpu
