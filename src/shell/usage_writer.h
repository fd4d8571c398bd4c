// usage_writer: takes usage, and what is known of rollouts, from the control thread to the store.
//
// Batches wait in memory while the store does not take them (disk full, locked). The writer tries again every second;
// past the limit the oldest batch is given up, counted and logged, which is in the customer's favour. Of an app's rollout
// the last word counts, so that at most one per app waits.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "model/effect.h"
#include "model/usage.h"
#include "obs/log.h"
#include "os/thread.h"
#include "ports/clock.h"
#include "ports/store.h"

namespace kelvin::shell {

class UsageWriter {
 public:
  struct Options {
    std::size_t rows_max = 200'000;  // held in memory; about 40 MiB
    Duration retry_after = 1s;
    Duration farewell_max = 10s;  // how long the destructor keeps trying
  };

  UsageWriter(const Options& options, ports::Store& store, const ports::Clock& clock,
              obs::Log& log);
  ~UsageWriter();
  UsageWriter(const UsageWriter&) = delete;
  UsageWriter& operator=(const UsageWriter&) = delete;

  void append(model::UsageBatch batch);
  void keep(model::KeepRollout rollout);
  // Waits until everything appended so far is in the store, or is given up; false when `patience` ran out.
  bool flush(Duration patience);

  struct Figures {
    std::uint64_t rows_written = 0;
    std::uint64_t rows_given_up = 0;
    std::uint64_t rows_waiting = 0;
    std::uint64_t failures = 0;
  };
  Figures figures() const;

 private:
  void run();
  bool write_next(std::unique_lock<std::mutex>& lock);
  bool write_batch(std::unique_lock<std::mutex>& lock);
  bool write_rollout(std::unique_lock<std::mutex>& lock);
  bool has_nothing() const { return waiting_.empty() && rollouts_.empty() && !is_writing_; }
  void give_up_oldest();

  const Options options_;
  ports::Store& store_;
  const ports::Clock& clock_;
  obs::Log& log_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<model::UsageBatch> waiting_;
  std::map<AppId, std::optional<model::Rollout>> rollouts_;
  bool is_writing_ = false;  // a rollout is in the writer's hands
  Figures figures_;
  bool is_closing_ = false;
  std::unique_ptr<os::Thread> thread_;
};

}  // namespace kelvin::shell
