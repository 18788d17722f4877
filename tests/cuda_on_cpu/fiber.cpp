#include "tests/cuda_on_cpu/fiber.h"

#include <new>

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/cuda_on_cpu/memory.h"

namespace tpn::cuda_on_cpu {

namespace {

using boost::context::detail::jump_fcontext;
using boost::context::detail::transfer_t;

// A page that guards, the stack, and a page within which its top is moved. An odd number of pages.
constexpr std::size_t stride = page + StackPool::usable_bytes + page;
static_assert(stride / page % 2 == 1);

}  // namespace

void Fiber::start(void* stack_top, std::size_t size, void (*entry)(void*), void* argument) {
  stack_bottom_ = static_cast<std::byte*>(stack_top) - size;
  stack_size_ = size;
  sanitizer::unpoison(stack_bottom_, size);  // frames that were never left
  fake_stack_ = nullptr;
  entry_ = entry;
  argument_ = argument;
  context_ = boost::context::detail::make_fcontext(stack_top, size, &Fiber::run);
}

void Fiber::run(transfer_t from) {
  // The data of a switch is {who suspends itself, who goes on}.
  auto** pair = static_cast<Fiber**>(from.data);
  Fiber* self = pair[1];
  pair[0]->context_ = from.fctx;
  sanitizer::finish_switch(nullptr);
  self->entry_(self->argument_);
}

void Fiber::switch_to(Fiber& next) {
  Fiber* pair[2] = {this, &next};
  sanitizer::start_switch(&fake_stack_, next.stack_bottom_, next.stack_size_);
  const transfer_t from = jump_fcontext(next.context_, static_cast<Fiber**>(pair));
  sanitizer::finish_switch(fake_stack_);
  static_cast<Fiber**>(from.data)[0]->context_ = from.fctx;
}

void Fiber::adopt_thread_stack() {
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) throw std::bad_alloc();
  void* bottom = nullptr;
  pthread_attr_getstack(&attributes, &bottom, &stack_size_);
  pthread_attr_destroy(&attributes);
  stack_bottom_ = bottom;
}

StackPool::StackPool(std::size_t count) : bytes_(count * stride) {
  void* memory =
      mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  memory_ = static_cast<std::byte*>(memory);
  for (std::size_t i = 0; i < count; ++i) mprotect(memory_ + i * stride, page, PROT_NONE);
}

StackPool::~StackPool() {
  munmap(memory_, bytes_);
}

void* StackPool::top(std::size_t i) const {
  const std::size_t color = i * 5 % 64 * 64;  // bytes, below a page
  return memory_ + (i + 1) * stride - page + color;
}

}  // namespace tpn::cuda_on_cpu
