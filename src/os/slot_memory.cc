// slot_memory: the shared memory that a slot table lies in.
#include "os/slot_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <utility>

#include "os/system_error.h"

namespace kelvin::os {
namespace {

constexpr std::size_t kBytes = sizeof(SlotEntry) * kSlotCount;

Result<SlotEntry*> map_entries(int fd) {
  void* start = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (start == MAP_FAILED) return fail_errno("map slot table", errno);
  return static_cast<SlotEntry*>(start);
}

}  // namespace

Result<SlotMemory> SlotMemory::create() {
  Fd fd(::memfd_create("kelvin-slots", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.is_open()) return fail_errno("make slot table", errno);
  if (::ftruncate(fd.get(), static_cast<off_t>(kBytes)) != 0)
    return fail_errno("size slot table", errno);
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return fail_errno("seal slot table", errno);
  }
  KELVIN_TRY(SlotEntry* const entries, map_entries(fd.get()));
  for (std::uint32_t i = 0; i < kSlotCount; ++i) ::new (static_cast<void*>(entries + i)) SlotEntry;
  return SlotMemory(std::move(fd), entries);
}

Result<SlotMemory> SlotMemory::map(Fd fd) {
  struct stat found{};
  if (::fstat(fd.get(), &found) != 0) return fail_errno("size of slot table", errno);
  if (static_cast<std::size_t>(found.st_size) != kBytes) {
    return fail(Code::Invalid, Blame::Platform, Retry::Never,
                "the slot table has " + std::to_string(found.st_size) + " bytes instead of " +
                    std::to_string(kBytes));
  }
  KELVIN_TRY(SlotEntry* const entries, map_entries(fd.get()));
  return SlotMemory(std::move(fd), entries);
}

SlotMemory::SlotMemory(SlotMemory&& other) noexcept
    : fd_(std::move(other.fd_)), entries_(std::exchange(other.entries_, nullptr)) {}

SlotMemory::~SlotMemory() {
  if (entries_ != nullptr) ::munmap(entries_, kBytes);
}

}  // namespace kelvin::os
