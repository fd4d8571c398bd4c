// process_set: all processes of one replica, by its control group or, without one, by its session.
#include "os/process_set.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "os/files.h"
#include "os/system_error.h"

namespace kelvin::os {
namespace {

std::uint64_t number_at(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// Field `index` (0 is the state) after the command name of /proc/PID/stat.
std::string_view stat_field(std::string_view fields, int index) {
  for (; index > 0; --index) {
    const auto space = fields.find(' ');
    if (space == std::string_view::npos) return {};
    fields.remove_prefix(space + 1);
  }
  return fields;
}

std::string proc_path(pid_t pid, const char* file) {
  return "/proc/" + std::to_string(pid) + "/" + file;
}

// "rchar: N" comes first (proc(5)); it counts read calls, "read_bytes" what came from storage, mapped files too.
std::uint64_t bytes_in(std::string_view io) {
  std::uint64_t sum = 0;
  for (const std::string_view name :
       {std::string_view("rchar: "), std::string_view("\nread_bytes: ")}) {
    const auto at = io.find(name);
    if (at != std::string_view::npos) sum += number_at(io.substr(at + name.size()));
  }
  return sum;
}

}  // namespace

Result<ProcessStat> read_process_stat(pid_t pid) {
  KELVIN_TRY(const std::string text, read_file(proc_path(pid, "stat")));
  // The name in parentheses may itself hold spaces and parentheses; fields follow the last one (proc(5)).
  const auto close = text.rfind(')');
  if (close == std::string::npos || close + 2 >= text.size()) {
    return fail(Code::Invalid, Blame::Host, Retry::Never,
                proc_path(pid, "stat") + " cannot be read");
  }
  const std::string_view fields = std::string_view(text).substr(close + 2);
  return ProcessStat{.state = fields.front(),
                     .group = static_cast<pid_t>(number_at(stat_field(fields, 2))),
                     .session = static_cast<pid_t>(number_at(stat_field(fields, 3))),
                     .start_ticks = number_at(stat_field(fields, 19))};
}

std::string process_name(pid_t pid) {
  std::string name = read_file(proc_path(pid, "comm")).value_or("");
  if (!name.empty() && name.back() == '\n') name.pop_back();
  return name;
}

std::string boot_id() {
  std::string id = read_file("/proc/sys/kernel/random/boot_id").value_or("");
  if (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

Status ProcessSet::signal(int number) const {
  if (leader_ <= 1)
    return fail(Code::NotFound, Blame::Platform, Retry::Never, "no process to signal");
  if (::kill(-leader_, number) == 0) return {};
  return fail_errno("signal process group " + std::to_string(leader_), errno);
}

Status ProcessSet::freeze() const {
  if (has_cgroup()) return cgroup_.freeze();
  for (const pid_t pid : pids_of_session()) ::kill(pid, SIGSTOP);
  return signal(SIGSTOP);
}

Status ProcessSet::thaw() const {
  if (has_cgroup()) return cgroup_.thaw();
  for (const pid_t pid : pids_of_session()) ::kill(pid, SIGCONT);
  return signal(SIGCONT);
}

Result<bool> ProcessSet::is_frozen() const {
  if (has_cgroup()) return cgroup_.is_frozen();
  const auto members = pids_of_session();
  return !members.empty() && std::all_of(members.begin(), members.end(), [](pid_t pid) {
    const auto stat = read_process_stat(pid);
    return !stat || stat->state == 'T' || stat->state == 'Z';
  });
}

void ProcessSet::kill() const {
  if (has_cgroup()) {
    static_cast<void>(cgroup_.kill());
    return;
  }
  for (const pid_t pid : pids_of_session()) ::kill(pid, SIGKILL);
  if (leader_ > 1) ::kill(-leader_, SIGKILL);
}

std::vector<pid_t> ProcessSet::pids() const {
  if (!has_cgroup()) return pids_of_session();
  return cgroup_.pids().value_or(std::vector<pid_t>{});
}

std::vector<pid_t> ProcessSet::pids_of_session() const {
  std::vector<pid_t> pids;
  if (leader_ <= 1) return pids;
  for (const std::string& name : list_dir("/proc").value_or(std::vector<std::string>{})) {
    const auto pid = static_cast<pid_t>(number_at(name));
    if (pid <= 1) continue;
    const auto stat = read_process_stat(pid);
    if (stat && stat->session == leader_ && stat->state != 'Z') pids.push_back(pid);
  }
  return pids;
}

Result<Bytes> ProcessSet::memory_used() const {
  if (auto used = cgroup_.memory_used()) return used;
  // Without accounting: resident pages, shared ones counted once per process.
  Bytes sum;
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  for (const pid_t pid : pids()) {
    const std::string text = read_file(proc_path(pid, "statm")).value_or("");
    const auto space = text.find(' ');
    if (space != std::string::npos)
      sum.count += page * number_at(std::string_view(text).substr(space + 1));
  }
  return sum;
}

Result<Duration> ProcessSet::cpu_time() const {
  if (auto time = cgroup_.cpu_time()) return time;
  std::uint64_t ticks = 0;
  for (const pid_t pid : pids()) {
    const std::string text = read_file(proc_path(pid, "stat")).value_or("");
    const auto close = text.rfind(')');
    if (close == std::string::npos || close + 2 >= text.size()) continue;
    const std::string_view fields = std::string_view(text).substr(close + 2);
    ticks += number_at(stat_field(fields, 11)) + number_at(stat_field(fields, 12));
  }
  return Duration(std::chrono::seconds(1)) * static_cast<std::int64_t>(ticks) /
         ::sysconf(_SC_CLK_TCK);
}

Bytes ProcessSet::bytes_read() const {
  Bytes sum;
  for (const pid_t pid : pids()) {
    // The threads' own counts: the process's would hold those of children that were waited for, and a shell that runs
    // `sleep` for ever would seem to read for ever.
    const std::string threads = proc_path(pid, "task");
    for (const std::string& thread : list_dir(threads).value_or(std::vector<std::string>{})) {
      sum.count += bytes_in(read_file(threads + "/" + thread + "/io").value_or(""));
    }
  }
  return sum;
}

}  // namespace kelvin::os
