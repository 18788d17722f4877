// Runs simple loops with the widest vectors of the machine, in a binary built for any x86-64.
#pragma once

// Sanitized builds do without: the choice is made by an ifunc resolver, which runs before their runtime is
// ready.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE__) && \
    !defined(TPN_SANITIZED)
#define TPN_VECTORIZE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define TPN_VECTORIZE
#endif
