// request_log: one JSON line per finished request, written by a thread of its own.
#include "gateway/request_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "http/write.h"
#include "model/ids.h"
#include "os/system_error.h"

namespace kelvin::gateway {
namespace {

std::string line_of(const RequestRecord& record) {
  std::string line = "{\"request\":\"" + model::to_text(record.request) + "\",\"app\":\"";
  http::append_json_text(line, record.app);
  line += "\",\"replica\":";
  line += record.replica ? "\"" + model::to_text(record.replica) + "\"" : "null";
  const auto add = [&](std::string_view name, std::int64_t value) {
    line += ",\"";
    line += name;
    line += "\":";
    line += std::to_string(value);
  };
  add("t_first_byte_sent_ns", record.first_byte_sent.ns);
  add("t_last_byte_read_ns", record.last_byte_read.ns);
  add("status", record.status);
  add("request_bytes", static_cast<std::int64_t>(record.request_bytes));
  add("bytes", static_cast<std::int64_t>(record.reply_bytes));
  add("waited_ns", record.waited.count());
  line += ",\"woke_from\":\"";
  line += record.woke_from;
  line += "\"}\n";
  return line;
}

}  // namespace

Result<std::unique_ptr<RequestLog>> RequestLog::open(const std::string& path,
                                                     std::size_t bytes_max) {
  os::Fd file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  if (!file.is_open()) return os::fail_errno("open the request log " + path, errno);
  return std::unique_ptr<RequestLog>(new RequestLog(std::move(file), bytes_max));
}

RequestLog::RequestLog(os::Fd file, std::size_t bytes_max)
    : file_(std::move(file)), bytes_max_(bytes_max) {
  writer_ = os::Thread("request-log", [this] { run(); });
}

RequestLog::~RequestLog() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  wakes_.notify_one();
  writer_.join();
}

void RequestLog::write(const RequestRecord& record) {
  const std::string line = line_of(record);
  const std::lock_guard lock(mutex_);
  if (lines_.size() + line.size() > bytes_max_) {
    ++dropped_;
    return;
  }
  const bool was_empty = lines_.empty();
  lines_ += line;
  if (was_empty) wakes_.notify_one();
}

void RequestLog::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wakes_.wait(lock, [&] { return !lines_.empty() || is_ending_; });
    if (lines_.empty()) return;
    std::string lines = std::exchange(lines_, {});
    const std::uint64_t dropped = std::exchange(dropped_, 0);
    lock.unlock();
    if (dropped > 0) lines += "{\"dropped\":" + std::to_string(dropped) + "}\n";
    write_out(lines);
    lock.lock();
  }
}

// A full disk loses lines; requests go on.
void RequestLog::write_out(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace kelvin::gateway
