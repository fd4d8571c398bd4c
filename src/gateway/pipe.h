// pipe: a reply's bytes on their way from one socket to another without being copied, by splice(2).
//
// The pages that a replica's bytes came in are handed on as they are; copying them twice is most of the work that a large
// reply makes. A loop has one pipe, which is empty whenever nobody is being served: what a client does not take is read
// out of it and kept as if it had been copied.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "base/result.h"
#include "gateway/socket.h"
#include "os/fd.h"

namespace kelvin::gateway {

class SplicePipe {
 public:
  // For 256 KiB, or less where the kernel grants less.
  static Result<SplicePipe> make();

  std::size_t bytes() const { return bytes_; }
  // Takes at most `most` bytes from a socket that does not block. Only when empty.
  [[nodiscard]] Received fill(int from, std::size_t most);
  // Gives all of them to a socket that does not block; what it does not take is appended to `rest`. Empty afterwards.
  [[nodiscard]] Sent drain(int to, std::string& rest);

 private:
  SplicePipe(os::Fd out, os::Fd in) : out_(std::move(out)), in_(std::move(in)) {}
  void empty_into(std::string& rest);

  os::Fd out_;  // read here
  os::Fd in_;   // written here
  std::size_t bytes_ = 0;
};

}  // namespace kelvin::gateway
