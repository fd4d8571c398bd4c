// exit_cause: why a replica is dead, from what the kernel says.
#include "runtime/exit_cause.h"

#include <signal.h>
#include <string.h>

#include <string>

namespace kelvin::runtime {
namespace {

std::string memory_detail(const Evidence& evidence) {
  if (evidence.memory_limit.count == 0) return "the machine or an outer limit had no memory left";
  return "the limit was " + std::to_string(evidence.memory_limit.count >> 20) + " MiB";
}

// "SIGSEGV, Segmentation fault"; empty for a number without a name.
std::string signal_detail(int number) {
  const char* name = ::sigabbrev_np(number);
  const char* text = ::sigdescr_np(number);
  if (name == nullptr || text == nullptr) return {};
  return std::string("SIG") + name + ", " + text;
}

}  // namespace

model::Exit cause_of(const Evidence& evidence) {
  using model::ExitCause;
  const bool was_hit = evidence.oom.kills > 0;
  if (!evidence.status) {
    if (was_hit) return {.cause = ExitCause::OutOfMemory, .detail = memory_detail(evidence)};
    return {.cause = ExitCause::Unknown};
  }
  const os::ExitStatus status = *evidence.status;
  const bool has_failed = status.by_signal ? status.code == SIGKILL : status.code != 0;
  if (was_hit && has_failed) {
    return {
        .cause = ExitCause::OutOfMemory, .code = status.code, .detail = memory_detail(evidence)};
  }
  if (status.by_signal)
    return {.cause = ExitCause::Killed, .code = status.code, .detail = signal_detail(status.code)};
  return {.cause = ExitCause::Exited, .code = status.code};
}

}  // namespace kelvin::runtime
