// usage_writer: takes usage from the control thread to the store.
//
// Batches wait in memory while the store does not take them (disk full, locked). The writer tries again every second;
// past the limit the oldest batch is given up, counted and logged, which is in the customer's favour.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>

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
  bool write_one(std::unique_lock<std::mutex>& lock);
  void give_up_oldest();

  const Options options_;
  ports::Store& store_;
  const ports::Clock& clock_;
  obs::Log& log_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<model::UsageBatch> waiting_;
  Figures figures_;
  bool is_closing_ = false;
  std::unique_ptr<os::Thread> thread_;
};

}  // namespace kelvin::shell
