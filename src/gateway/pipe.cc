// pipe: splice(2) between two sockets.
#include "gateway/pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "os/system_error.h"

namespace kelvin::gateway {
namespace {

constexpr int kCapacityWanted = 256 * 1024;
constexpr unsigned kFlags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK; }

}  // namespace

Result<SplicePipe> SplicePipe::make() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) != 0)
    return os::fail_errno("make a pipe", errno);
  os::Fd out(ends[0]);
  os::Fd in(ends[1]);
  // Refused where this user's pipes are at their limit (pipe(7), pipe-user-pages-soft): the smaller one works too.
  static_cast<void>(::fcntl(in.get(), F_SETPIPE_SZ, kCapacityWanted));
  return SplicePipe(std::move(out), std::move(in));
}

Received SplicePipe::fill(int from, std::size_t most) {
  KELVIN_CHECK(bytes_ == 0);
  while (true) {
    const ssize_t got = ::splice(from, nullptr, in_.get(), nullptr, most, kFlags);
    if (got > 0) {
      bytes_ = static_cast<std::size_t>(got);
      return {Io::Done, bytes_};
    }
    if (got == 0) return {Io::Ended, 0};
    if (errno == EINTR) continue;
    return {would_block() ? Io::Blocked : Io::Broken, 0};
  }
}

Sent SplicePipe::drain(int to, std::string& rest) {
  Sent sent;
  while (bytes_ > 0) {
    const ssize_t gone = ::splice(out_.get(), nullptr, to, nullptr, bytes_, kFlags);
    if (gone > 0) {
      bytes_ -= static_cast<std::size_t>(gone);
      sent.bytes += static_cast<std::size_t>(gone);
      continue;
    }
    if (gone < 0 && errno == EINTR) continue;
    sent.io = gone < 0 && would_block() ? Io::Blocked : Io::Broken;
    empty_into(rest);
  }
  return sent;
}

void SplicePipe::empty_into(std::string& rest) {
  const std::size_t before = rest.size();
  rest.resize(before + bytes_);
  std::size_t filled = before;
  while (filled < rest.size()) {
    const ssize_t got = ::read(out_.get(), rest.data() + filled, rest.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    // The pipe is ours alone: what was put in comes out.
    KELVIN_CHECK(got > 0);
    filled += static_cast<std::size_t>(got);
  }
  bytes_ = 0;
}

}  // namespace kelvin::gateway
