#include <algorithm>
#include <atomic>

#include "tests/cuda_on_cpu/block.h"
#include "tests/cuda_on_cpu/device_functions.h"
#include "tests/cuda_on_cpu/race_checker.h"

namespace {

using tpn::cuda_on_cpu::BlockRunner;
namespace race = tpn::cuda_on_cpu::race;

/// Replaces *address by change(*address); the value before. Blocks run on several threads of the CPU.
template <class T, class Change>
T update(T* address, const void* place, const Change& change) {
  race::access(BlockRunner::current()->thread().linear, address, sizeof(T), race::Access::atomic, place);
  const std::atomic_ref<T> value(*address);
  T before = value.load(std::memory_order_relaxed);
  while (!value.compare_exchange_weak(before, change(before), std::memory_order_relaxed)) {
  }
  return before;
}

}  // namespace

// Signed sums wrap around as the machine's do.
#define TPN_PLACE __builtin_return_address(0)
int atomicAdd(int* address, int value) {
  return update(address, TPN_PLACE, [value](int old) {
    return static_cast<int>(static_cast<unsigned>(old) + static_cast<unsigned>(value));
  });
}
unsigned atomicAdd(unsigned* address, unsigned value) {
  return update(address, TPN_PLACE, [value](unsigned old) { return old + value; });
}
unsigned long long atomicAdd(unsigned long long* address, unsigned long long value) {
  return update(address, TPN_PLACE, [value](unsigned long long old) { return old + value; });
}
float atomicAdd(float* address, float value) {
  return update(address, TPN_PLACE, [value](float old) { return old + value; });
}
double atomicAdd(double* address, double value) {
  return update(address, TPN_PLACE, [value](double old) { return old + value; });
}
int atomicSub(int* address, int value) {
  return update(address, TPN_PLACE, [value](int old) {
    return static_cast<int>(static_cast<unsigned>(old) - static_cast<unsigned>(value));
  });
}
unsigned atomicSub(unsigned* address, unsigned value) {
  return update(address, TPN_PLACE, [value](unsigned old) { return old - value; });
}
int atomicMax(int* address, int value) {
  return update(address, TPN_PLACE, [value](int old) { return std::max(old, value); });
}
unsigned atomicMax(unsigned* address, unsigned value) {
  return update(address, TPN_PLACE, [value](unsigned old) { return std::max(old, value); });
}
unsigned long long atomicMax(unsigned long long* address, unsigned long long value) {
  return update(address, TPN_PLACE, [value](unsigned long long old) { return std::max(old, value); });
}
int atomicMin(int* address, int value) {
  return update(address, TPN_PLACE, [value](int old) { return std::min(old, value); });
}
unsigned atomicMin(unsigned* address, unsigned value) {
  return update(address, TPN_PLACE, [value](unsigned old) { return std::min(old, value); });
}
unsigned long long atomicMin(unsigned long long* address, unsigned long long value) {
  return update(address, TPN_PLACE, [value](unsigned long long old) { return std::min(old, value); });
}
int atomicExch(int* address, int value) {
  return update(address, TPN_PLACE, [value](int /*old*/) { return value; });
}
unsigned atomicExch(unsigned* address, unsigned value) {
  return update(address, TPN_PLACE, [value](unsigned /*old*/) { return value; });
}
float atomicExch(float* address, float value) {
  return update(address, TPN_PLACE, [value](float /*old*/) { return value; });
}
unsigned atomicOr(unsigned* address, unsigned value) {
  return update(address, TPN_PLACE, [value](unsigned old) { return old | value; });
}
unsigned atomicAnd(unsigned* address, unsigned value) {
  return update(address, TPN_PLACE, [value](unsigned old) { return old & value; });
}
unsigned atomicXor(unsigned* address, unsigned value) {
  return update(address, TPN_PLACE, [value](unsigned old) { return old ^ value; });
}
int atomicCAS(int* address, int compare, int value) {
  return update(address, TPN_PLACE, [=](int old) { return old == compare ? value : old; });
}
unsigned atomicCAS(unsigned* address, unsigned compare, unsigned value) {
  return update(address, TPN_PLACE, [=](unsigned old) { return old == compare ? value : old; });
}
unsigned long long atomicCAS(unsigned long long* address, unsigned long long compare,
                             unsigned long long value) {
  return update(address, TPN_PLACE, [=](unsigned long long old) { return old == compare ? value : old; });
}
#undef TPN_PLACE
