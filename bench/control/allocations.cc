#include "allocations.h"

#include <malloc.h>

#include <cstdlib>
#include <new>

namespace bench {

namespace {

Allocations so_far;

void* counted(std::size_t size) {
  void* memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  so_far.count += 1;
  so_far.bytes += size;
  so_far.live_bytes += static_cast<std::int64_t>(malloc_usable_size(memory));
  return memory;
}

void given_back(void* memory) {
  so_far.live_bytes -= static_cast<std::int64_t>(malloc_usable_size(memory));
  std::free(memory);
}

}  // namespace

Allocations allocations() { return so_far; }

}  // namespace bench

void* operator new(std::size_t size) { return bench::counted(size); }
void operator delete(void* memory) noexcept { bench::given_back(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept { bench::given_back(memory); }
