#include "cli/system.h"

#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "os/clock.h"

namespace kelvin::cli {

namespace {

std::optional<std::string> variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

// False when the descriptor takes no more; errno says why.
bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// While libcurl runs it ignores SIGPIPE, so the error is looked at instead.
void write_out(std::string_view text) {
  if (write_all(STDOUT_FILENO, text)) return;
  if (errno == EPIPE) {
    std::signal(SIGPIPE, SIG_DFL);
    std::raise(SIGPIPE);
  }
  write_all(STDERR_FILENO, std::string("kelvin: cannot write to standard output: ") +
                               std::strerror(errno) + ".\n");
  std::_Exit(1);
}

bool pause(Duration length) {
  const timespec time{.tv_sec = length.count() / 1'000'000'000,
                      .tv_nsec = length.count() % 1'000'000'000};
  return ::nanosleep(&time, nullptr) == 0;
}

std::optional<std::string> ask() {
  std::string line;
  if (!std::getline(std::cin, line)) return std::nullopt;
  return line;
}

}  // namespace

Surroundings system_surroundings() {
  Surroundings surroundings;
  surroundings.variable = variable;
  surroundings.out = write_out;
  surroundings.err = [](std::string_view text) { write_all(STDERR_FILENO, text); };
  surroundings.ask = ask;
  surroundings.can_ask = ::isatty(STDIN_FILENO) == 1;
  surroundings.out_terminal = [] { return describe_terminal(STDOUT_FILENO, variable); };
  surroundings.err_terminal = [] { return describe_terminal(STDERR_FILENO, variable); };
  surroundings.unix_ms = os::unix_now_ms;
  surroundings.now = os::boot_now;
  surroundings.pause = pause;
  surroundings.is_root = ::geteuid() == 0;
  return surroundings;
}

}  // namespace kelvin::cli
