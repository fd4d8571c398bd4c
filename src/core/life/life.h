// life: when a start has failed, when a replica is unwell, and how long to leave a broken app
// alone.
//
// Progress. A start has no fixed time limit: it fails when nothing has moved for `progress` (60 s).
// Strong progress (bytes read, memory grown, an unseen log line) sets the deadline anew. Weak
// progress (processor time, repeated lines) does too, but only up to ten times `progress` after the
// last strong sign: a program that prints "waiting" for ever is given up after 10 minutes, one that
// compiles kernels and reports them is not.
//
// Failure budget. Attempts in a row wait 1 s, 2 s, 4 s ... 60 s for each other. When `attempts`
// have failed the app is failing: it costs nothing and refuses at once, for 30 s, then 60 s ... at
// most 10 min; after that one probe is let through at the next request. A replica that has proven
// itself (a reply, or a minute of readiness) clears everything; so do a deploy and a wake.
//
// Worked example with attempts = 3: starts at 0 s, 1 s after the first failure, 2 s after the
// second; the third failure makes it failing until 30 s later; the probe fails: 60 s.
#pragma once

#include <cstdint>

#include "base/time.h"
#include "model/app.h"
#include "model/event.h"
#include "model/replica.h"

namespace kelvin::life {

class StartClock {
 public:
  StartClock() = default;
  explicit StartClock(Instant now) : strong_(now), any_(now) {}

  void moved(model::Progress progress, Instant now);
  [[nodiscard]] Instant deadline(Duration progress) const;
  [[nodiscard]] Instant last_strong() const { return strong_; }

 private:
  Instant strong_;
  Instant any_;
};

class FailureBudget {
 public:
  // A start failed. True: the budget is spent (again), the app is failing.
  bool failed(const model::Exit& exit, std::uint32_t attempts, Instant now);
  // A replica became ready: requests may come, but a crash loop is still remembered.
  void ready() { is_failing_ = false; }
  // A replica has proven itself, or people changed something.
  void clear() { *this = FailureBudget{}; }

  [[nodiscard]] bool is_failing() const { return is_failing_; }
  // Nothing starts before this moment.
  [[nodiscard]] Instant next_start() const { return next_start_; }
  [[nodiscard]] std::uint32_t failures() const { return failures_; }
  [[nodiscard]] const model::Exit& last_exit() const { return last_; }

 private:
  std::uint32_t failures_ = 0;  // in a row
  std::uint32_t rounds_ = 0;    // times the budget was spent in a row
  bool is_failing_ = false;
  Instant next_start_;
  model::Exit last_;
};

[[nodiscard]] Duration delay_between_starts(std::uint32_t failures);
[[nodiscard]] Duration delay_while_failing(std::uint32_t rounds);

// Three suspicions in a row, with no reply between them, make a replica unwell.
class Health {
 public:
  // True: it is to be drained and replaced.
  [[nodiscard]] bool suspected();
  void answered() { suspicions_ = 0; }
  [[nodiscard]] std::uint32_t suspicions() const { return suspicions_; }

 private:
  std::uint32_t suspicions_ = 0;
};

constexpr std::uint32_t kSuspicionsMax = 3;
// How long a replica that stopped answering may finish its work before it is killed.
constexpr Duration kUnwellDrainMax = 30s;
// A replica that was ready for so long is not part of a crash loop, even if nobody called it.
constexpr Duration kProvenAfter = 60s;

}  // namespace kelvin::life
