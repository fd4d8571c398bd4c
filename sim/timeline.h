// timeline: made-up time. Actions run one after another in the order of their moments; equal moments in the order of
// their making, so that one seed always gives one run.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

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

  void at(Instant moment, Action action) { plan(moment, {}, std::move(action)); }
  void at(Instant moment, const Life& life, Action action) {
    plan(moment, {.is_bound = true, .watch = life.watch()}, std::move(action));
  }

  // Runs what is due up to `until`, or to the moment that the clock jumps to meanwhile, and lets time pass to it.
  void run_until(Instant until) {
    while (!order_.empty() && order_.front().at <= std::max(until, now_)) {
      std::pop_heap(order_.begin(), order_.end(), comes_later);
      const Place place = order_.back();
      order_.pop_back();
      const Planned planned = std::move(planned_[place.index]);
      free_.push_back(place.index);
      now_ = std::max(now_, place.at);
      ++actions_run_;
      if (!planned.bond.is_bound || !planned.bond.watch.expired()) planned.action();
    }
    now_ = std::max(now_, until);
  }

  // The clock jumps: what was due in between runs late.
  void jump(Duration by) { now_ = now_ + by; }

 private:
  struct Bond {
    bool is_bound = false;
    std::weak_ptr<const char> watch;
  };
  struct Planned {
    Bond bond;
    Action action;
  };
  struct Place {
    Instant at;
    std::uint64_t made = 0;
    std::size_t index = 0;  // in `planned_`
  };
  static bool comes_later(const Place& a, const Place& b) {
    return std::pair(a.at, a.made) > std::pair(b.at, b.made);
  }

  void plan(Instant moment, Bond bond, Action action) {
    Planned planned{std::move(bond), std::move(action)};
    std::size_t index = planned_.size();
    if (free_.empty()) {
      planned_.push_back(std::move(planned));
    } else {
      index = free_.back();
      free_.pop_back();
      planned_[index] = std::move(planned);
    }
    order_.push_back({std::max(moment, now_), made_++, index});
    std::push_heap(order_.begin(), order_.end(), comes_later);
  }

  Instant now_{1'000'000'000};  // 0 means "never" in several facts
  std::uint64_t made_ = 0;
  std::uint64_t actions_run_ = 0;
  std::vector<Place> order_;  // a heap, the earliest first
  std::vector<Planned> planned_;
  std::vector<std::size_t> free_;
};

}  // namespace kelvin::sim
