// memory: how much of a process lies in memory.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <string>

namespace bench {

// Resident memory; 0 for pid 0 and for a process that is gone.
inline std::uint64_t resident_bytes(int pid) {
  if (pid == 0) return 0;
  std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
  std::uint64_t pages_mapped = 0;
  std::uint64_t pages_resident = 0;
  file >> pages_mapped >> pages_resident;
  return pages_resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace bench
