// local_logs: reads the files that the keeper writes.
//
// First what is there: each replica's lines come in order, the old file before the current one, and are merged by a
// heap of readers, so that memory holds one buffer per replica. Then, with `follow`, what comes: the folder is watched
// (inotify), and each wake reads what each file has gained. The tails begin where the first pass ended.
#include "cluster/local/local_logs.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <memory>
#include <queue>
#include <vector>

#include "cluster/local/log_tail.h"
#include "model/ids.h"
#include "os/fd.h"
#include "os/files.h"
#include "os/system_error.h"

namespace kelvin::cluster::local {
namespace {

constexpr std::size_t kChunkBytes = 256 << 10;
constexpr int kAskDoneMs = 400;  // is_done is promised twice a second

// One replica's log from its oldest line on, a chunk at a time.
class Reader {
 public:
  Reader(const std::string& path, ReplicaId replica) : replica_(replica), tail_(path) {
    tail_.start_at_oldest();
  }

  // The next line, absent when there is none yet.
  const ports::LogLine* peek() {
    while (next_ == lines_.size()) {
      lines_.clear();
      next_ = 0;
      const bool has_more = tail_.read(kChunkBytes, [&](const LogEntry& entry) {
        lines_.push_back({.unix_ms = entry.unix_ms,
                          .replica = replica_,
                          .stream = entry.stream,
                          .text = std::string(entry.text)});
      });
      if (lines_.empty() && !has_more) return nullptr;
    }
    return &lines_[next_];
  }
  void pop() { ++next_; }

 private:
  ReplicaId replica_;
  LogTail tail_;
  std::vector<ports::LogLine> lines_;
  std::size_t next_ = 0;
};

using Readers = std::map<ReplicaId, std::unique_ptr<Reader>>;

void find_readers(const std::string& folder, ReplicaId only, Readers& readers) {
  for (const std::string& name : os::list_dir(folder).value_or(std::vector<std::string>{})) {
    const auto dot = name.find('.');
    const auto id = model::parse_replica_id(name.substr(0, dot));
    if (dot == std::string::npos || !id || (only && *id != only) || readers.contains(*id)) continue;
    readers.emplace(*id,
                    std::make_unique<Reader>(folder + "/" + name.substr(0, dot) + ".log", *id));
  }
}

// Gives every line that is there, oldest first. False when the sink wants no more.
bool give_lines(Readers& readers, std::int64_t since,
                const std::function<bool(const ports::LogLine&)>& sink) {
  const auto is_later = [](Reader* a, Reader* b) {
    const ports::LogLine& left = *a->peek();
    const ports::LogLine& right = *b->peek();
    return std::pair(left.unix_ms, left.replica) > std::pair(right.unix_ms, right.replica);
  };
  std::priority_queue<Reader*, std::vector<Reader*>, decltype(is_later)> heap(is_later);
  for (auto& [id, reader] : readers) {
    if (reader->peek() != nullptr) heap.push(reader.get());
  }
  while (!heap.empty()) {
    Reader* const reader = heap.top();
    heap.pop();
    const ports::LogLine& line = *reader->peek();
    if (line.unix_ms >= since && !sink(line)) return false;
    reader->pop();
    if (reader->peek() != nullptr) heap.push(reader);
  }
  return true;
}

void wait_for_change(int inotify) {
  pollfd item{.fd = inotify, .events = POLLIN};
  ::poll(&item, 1, kAskDoneMs);
  std::array<char, 4096> buffer;
  while (::read(inotify, buffer.data(), buffer.size()) > 0) {
  }
}

}  // namespace

Status LocalLogs::read(const ports::LogQuery& query,
                       const std::function<bool(const ports::LogLine&)>& sink,
                       const std::function<bool()>& is_done) {
  const std::string folder = data_ + "/logs/" + std::to_string(query.app.value);
  os::Fd inotify;
  if (query.follow) {
    // Watched before the first pass, so that nothing falls between. The folder comes with the first replica.
    KELVIN_TRY_VOID(os::make_dirs(folder, 0700));
    inotify.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!inotify.is_open() || ::inotify_add_watch(inotify.get(), folder.c_str(),
                                                  IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0) {
      return os::fail_errno("follow logs", errno);
    }
  }
  Readers readers;
  while (true) {
    find_readers(folder, query.replica, readers);
    if (!give_lines(readers, query.since_unix_ms, sink) || !query.follow) return {};
    if (is_done()) return {};
    wait_for_change(inotify.get());
    if (is_done()) return {};
  }
}

}  // namespace kelvin::cluster::local
