#include "sim/runner.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>
#include <string_view>

#include "base/check.h"
#include "os/clock.h"

namespace kelvin::sim {

namespace {

constexpr unsigned kJobsMax = 256;
constexpr Duration kProgressEvery = 10s;
constexpr int kPollMs = 1000;
// A line shorter than a pipe's atomic write is never mixed with another process's.
constexpr std::size_t kLineMost = 4000;
constexpr char kBreak = '\x1f';

// What the processes share.
struct Board {
  std::atomic<std::size_t> next{0};
  std::atomic<std::size_t> done{0};
  std::atomic<std::uint64_t> running[kJobsMax];  // the seed that each is at
};

class SharedBoard {
 public:
  SharedBoard()
      : memory_(::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                       -1, 0)) {
    KELVIN_CHECK(memory_ != MAP_FAILED);
    board_ = new (memory_) Board;
  }
  ~SharedBoard() { ::munmap(memory_, sizeof(Board)); }
  SharedBoard(const SharedBoard&) = delete;
  SharedBoard& operator=(const SharedBoard&) = delete;
  Board* operator->() const { return board_; }

 private:
  void* memory_;
  Board* board_;
};

std::string to_line(const Verdict& verdict) {
  std::string line = std::to_string(verdict.seed) + kBreak +
                     std::to_string(static_cast<int>(verdict.checker)) + kBreak + verdict.what +
                     kBreak + verdict.summary;
  std::replace(line.begin(), line.end(), '\n', ' ');
  line.resize(std::min(line.size(), kLineMost));
  return line + "\n";
}

Verdict from_line(std::string_view line) {
  std::vector<std::string> fields;
  while (true) {
    const std::size_t end = line.find(kBreak);
    fields.emplace_back(line.substr(0, end));
    if (end == std::string_view::npos) break;
    line.remove_prefix(end + 1);
  }
  fields.resize(4);
  return {.seed = std::strtoull(fields[0].c_str(), nullptr, 10),
          .checker = static_cast<Checker>(std::strtol(fields[1].c_str(), nullptr, 10)),
          .what = fields[2],
          .summary = fields[3]};
}

void write_all(int fd, const std::string& text) {
  const ssize_t written = ::write(fd, text.data(), text.size());
  KELVIN_CHECK(written == static_cast<ssize_t>(text.size()));
}

// How a process ended that gave no verdict: nothing where it ended well.
std::string end_words(int status) {
  if (WIFSIGNALED(status))
    return "the program was ended by signal " + std::to_string(WTERMSIG(status));
  if (WEXITSTATUS(status) == 0) return {};
  return "the program ended with exit code " + std::to_string(WEXITSTATUS(status));
}

// The end of a child. Leaks are looked for here, where a sanitizer does so.
[[noreturn]] void leave() {
  std::fflush(nullptr);
  std::exit(0);
}

pid_t fork_child() {
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  KELVIN_CHECK(pid >= 0);
  return pid;
}

// The processes of one batch and what they report.
class Pool {
 public:
  explicit Pool(const Batch& batch) : batch_(batch), began_(os::boot_now()), last_told_(began_) {
    int ends[2];
    KELVIN_CHECK(::pipe(ends) == 0);
    out_ = ends[0];
    in_ = ends[1];
    progress_.all = batch.seeds.size();
  }
  ~Pool() {
    for (const auto& [pid, worker] : workers_) ::kill(pid, SIGKILL);
    for (const auto& [pid, worker] : workers_) ::waitpid(pid, nullptr, 0);
    ::close(out_);
    ::close(in_);
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  Progress run() {
    const std::size_t jobs =
        std::min<std::size_t>({std::max(batch_.jobs, 1U), kJobsMax, progress_.all});
    for (std::size_t worker = 0; worker < jobs; ++worker) start(worker);
    while (!workers_.empty() && progress_.failed < batch_.failures_most) {
      listen();
      reap();
      tell_progress();
    }
    listen();
    progress_.done = board_->done;
    progress_.elapsed = os::boot_now() - began_;
    return progress_;
  }

 private:
  void start(std::size_t worker) {
    const pid_t pid = fork_child();
    if (pid == 0) {
      work(worker);
      leave();
    }
    workers_.emplace(pid, worker);
  }

  void work(std::size_t worker) {
    Course course = batch_.course;
    while (true) {
      const std::size_t next = board_->next++;
      if (next >= batch_.seeds.size()) return;
      course.seed = batch_.seeds[next];
      board_->running[worker] = course.seed;
      const Verdict verdict = judge(course);
      if (!verdict.holds()) write_all(in_, to_line(verdict));
      ++board_->done;
    }
  }

  // Takes in what has come, or waits a moment for it.
  void listen() {
    pollfd waited{.fd = out_, .events = POLLIN, .revents = 0};
    while (::poll(&waited, 1, workers_.empty() || has_news_ ? 0 : kPollMs / 20) > 0) {
      char buffer[4096];
      const ssize_t count = ::read(out_, buffer, sizeof buffer);
      if (count <= 0) return;
      heard_.append(buffer, static_cast<std::size_t>(count));
      for (std::size_t end = heard_.find('\n'); end != std::string::npos; end = heard_.find('\n')) {
        fail(from_line(std::string_view(heard_).substr(0, end)));
        heard_.erase(0, end + 1);
      }
      has_news_ = true;
    }
    has_news_ = false;
  }

  void fail(const Verdict& verdict) {
    ++progress_.failed;
    batch_.on_failure(verdict);
  }

  void reap() {
    int status = 0;
    for (auto it = workers_.begin(); it != workers_.end();) {
      if (::waitpid(it->first, &status, WNOHANG) == 0) {
        ++it;
        continue;
      }
      const std::size_t worker = it->second;
      it = workers_.erase(it);
      const std::string words = end_words(status);
      if (words.empty()) continue;
      // What it had reported before comes first.
      listen();
      fail({.seed = board_->running[worker],
            .checker = Checker::Core,
            .what = words,
            .summary = {}});
      ++board_->done;
      start(worker);
      return;
    }
  }

  void tell_progress() {
    if (!batch_.on_progress || os::boot_now() - last_told_ < kProgressEvery) return;
    last_told_ = os::boot_now();
    progress_.done = board_->done;
    progress_.elapsed = last_told_ - began_;
    batch_.on_progress(progress_);
  }

  const Batch& batch_;
  SharedBoard board_;
  Progress progress_;
  Instant began_;
  Instant last_told_;
  int out_ = -1;
  int in_ = -1;
  std::string heard_;
  bool has_news_ = false;
  std::map<pid_t, std::size_t> workers_;
};

}  // namespace

Verdict judge(const Course& course) {
  Verdict verdict{.seed = course.seed};
  Simulation simulation(course);
  try {
    simulation.run();
  } catch (const Violation& violation) {
    verdict.checker = violation.checker();
    verdict.what = violation.what();
  }
  verdict.summary = simulation.summary();
  return verdict;
}

Verdict judge_apart(const Course& course) {
  int ends[2];
  KELVIN_CHECK(::pipe(ends) == 0);
  const pid_t pid = fork_child();
  if (pid == 0) {
    write_all(ends[1], to_line(judge(course)));
    leave();
  }
  ::close(ends[1]);
  std::string heard;
  char buffer[4096];
  for (ssize_t count = 0; (count = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    heard.append(buffer, static_cast<std::size_t>(count));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  const std::string words = end_words(status);
  if (!words.empty())
    return {.seed = course.seed, .checker = Checker::Core, .what = words, .summary = {}};
  return from_line(std::string_view(heard).substr(0, heard.find('\n')));
}

Progress run(const Batch& batch) { return Pool(batch).run(); }

}  // namespace kelvin::sim
