#include "shell/usage_writer.h"

#include <chrono>
#include <string>
#include <utility>

namespace kelvin::shell {

UsageWriter::UsageWriter(const Options& options, ports::Store& store, const ports::Clock& clock,
                         obs::Log& log)
    : options_(options), store_(store), clock_(clock), log_(log) {
  thread_ = std::make_unique<os::Thread>("usage", [this] { run(); });
}

UsageWriter::~UsageWriter() {
  (void)flush(options_.farewell_max);
  {
    const std::scoped_lock lock(mutex_);
    is_closing_ = true;
  }
  changed_.notify_all();
  thread_.reset();
}

void UsageWriter::append(model::UsageBatch batch) {
  if (batch.rows.empty()) return;
  {
    const std::scoped_lock lock(mutex_);
    figures_.rows_waiting += batch.rows.size();
    waiting_.push_back(std::move(batch));
    while (figures_.rows_waiting > options_.rows_max && waiting_.size() > 1) give_up_oldest();
  }
  changed_.notify_all();
}

void UsageWriter::keep(model::KeepRollout rollout) {
  {
    const std::scoped_lock lock(mutex_);
    rollouts_.insert_or_assign(rollout.app, std::move(rollout.rollout));
  }
  changed_.notify_all();
}

bool UsageWriter::flush(Duration patience) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, [this] { return has_nothing(); });
}

UsageWriter::Figures UsageWriter::figures() const {
  const std::scoped_lock lock(mutex_);
  return figures_;
}

void UsageWriter::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return is_closing_ || !has_nothing(); });
    if (has_nothing()) return;
    if (write_next(lock)) {
      changed_.notify_all();
      continue;
    }
    if (is_closing_) return;
    changed_.wait_for(lock, options_.retry_after, [this] { return is_closing_; });
  }
}

bool UsageWriter::write_next(std::unique_lock<std::mutex>& lock) {
  const bool is_kept = rollouts_.empty() || write_rollout(lock);
  const bool is_written = waiting_.empty() || write_batch(lock);
  return is_kept && is_written;
}

// What comes for the same app meanwhile is written next.
bool UsageWriter::write_rollout(std::unique_lock<std::mutex>& lock) {
  auto next = rollouts_.extract(rollouts_.begin());
  is_writing_ = true;
  lock.unlock();
  const Status written = store_.keep_rollout(next.key(), next.mapped());
  lock.lock();
  is_writing_ = false;
  if (written) return true;
  figures_.failures += 1;
  log_.error("how a rollout stands is not written; it is tried again",
             {{"why", written.error().what}});
  rollouts_.insert(std::move(next));
  return false;
}

// The batch stays at the front while the lock is released: only this thread takes from the front, except
// give_up_oldest, which never takes the last one and is told by `rows_written` not to count it twice.
bool UsageWriter::write_batch(std::unique_lock<std::mutex>& lock) {
  const model::UsageBatch batch = std::move(waiting_.front());
  waiting_.front() = {};
  lock.unlock();
  const std::int64_t unix_minus_boot_ns = clock_.unix_ns(Instant{0});
  const Status written = store_.append_usage(batch, unix_minus_boot_ns);
  lock.lock();
  if (!written) {
    figures_.failures += 1;
    log_.error(
        "usage is not written; it waits in memory and is tried again",
        {{"why", written.error().what}, {"rows_waiting", std::to_string(figures_.rows_waiting)}});
    waiting_.front() = batch;
    return false;
  }
  waiting_.pop_front();
  figures_.rows_waiting -= batch.rows.size();
  figures_.rows_written += batch.rows.size();
  return true;
}

// The front may be in the writer's hands, so the second one goes.
void UsageWriter::give_up_oldest() {
  const auto oldest = waiting_.begin() + 1;
  figures_.rows_waiting -= oldest->rows.size();
  figures_.rows_given_up += oldest->rows.size();
  log_.error("usage is given up: the store has not taken it for too long; it will not be billed",
             {{"rows", std::to_string(oldest->rows.size())},
              {"limit", std::to_string(options_.rows_max)}});
  waiting_.erase(oldest);
}

}  // namespace kelvin::shell
