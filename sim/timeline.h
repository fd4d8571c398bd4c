// timeline: made-up time. Actions run one after another in the order of their moments; equal moments in the order of
// their making, so that one seed always gives one run.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "base/time.h"

namespace kelvin::sim {

// An action bound to a life is skipped when whatever it belongs to has died before its moment.
class Life {
 public:
  Life() : alive_(std::make_shared<char>()) {}
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;
  [[nodiscard]] std::weak_ptr<const char> watch() const { return alive_; }
  void end() { alive_.reset(); }
  // Cuts off every action bound so far.
  void renew() { alive_ = std::make_shared<char>(); }

 private:
  std::shared_ptr<const char> alive_;
};

class Timeline {
 public:
  using Action = std::function<void()>;

  [[nodiscard]] Instant now() const { return now_; }
  [[nodiscard]] std::uint64_t actions_run() const { return actions_run_; }
  [[nodiscard]] bool is_empty() const { return actions_.empty(); }

  void at(Instant moment, Action action) {
    actions_.emplace(std::pair(std::max(moment, now_), made_++), std::move(action));
  }
  void at(Instant moment, const Life& life, Action action) {
    at(moment, [watch = life.watch(), action = std::move(action)] {
      if (!watch.expired()) action();
    });
  }

  // Runs what is due up to `until`, and lets time pass to it.
  void run_until(Instant until) {
    while (!actions_.empty() && actions_.begin()->first.first <= until) {
      auto first = actions_.extract(actions_.begin());
      now_ = first.key().first;
      ++actions_run_;
      first.mapped()();
    }
    now_ = std::max(now_, until);
  }

 private:
  Instant now_{1'000'000'000};  // 0 means "never" in several facts
  std::uint64_t made_ = 0;
  std::uint64_t actions_run_ = 0;
  std::map<std::pair<Instant, std::uint64_t>, Action> actions_;
};

}  // namespace kelvin::sim
