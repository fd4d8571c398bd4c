#include "plan/rivals/fleet.h"

#include <algorithm>

#include "base/check.h"

namespace kelvin::plan {

Fleet::Fleet(const Traffic& traffic, const Terms& terms, Outcome& outcome)
    : traffic_(traffic), terms_(terms), outcome_(outcome) {
  KELVIN_CHECK(terms.slots > 0 && terms.replicas_max > 0);
}

void Fleet::run(Rule& rule) {
  open(std::min(rule.always(), terms_.replicas_max));
  while (true) {
    const auto [what, when] = next_event(rule);
    if (what == Next::Nothing) break;
    advance(when);
    happen(what, rule);
  }
  finish(std::max(traffic_.end, last_reply_));
}

Duration Fleet::oldest_wait() const {
  if (queue_.empty()) return {};
  return now_ - traffic_.trace.arrivals[queue_.front()].at;
}

void Fleet::open(std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) {
    replicas_.push_back({.state = State::Ready});
    ready_.insert(i);
    go_idle(i);
  }
}

std::pair<Fleet::Next, Duration> Fleet::next_event(const Rule& rule) {
  std::pair<Next, Duration> next{Next::Nothing, Duration::max()};
  const auto consider = [&](Next what, Duration when) {
    if (when < next.second) next = {what, when};
  };
  if (!replies_.empty()) consider(Next::Reply, replies_.top().first);
  if (!starting_.empty()) consider(Next::Ready, replicas_[starting_.front()].since + terms_.cold);
  if (arrived_ < traffic_.arrivals.size())
    consider(Next::Arrival, traffic_.trace.arrivals[traffic_.arrivals[arrived_]].at);
  if (const std::optional<Duration> idle_time = rule.idle_time()) {
    while (!idle_.empty() && !is_idle_since(idle_.front())) idle_.pop_front();
    if (!idle_.empty() && live() > rule.always())
      consider(Next::IdleEnd, idle_.front().since + *idle_time);
  }
  if (const std::optional<Duration> tick = rule.tick()) {
    // Those that were left out while the rule was at rest would have done nothing.
    if (next_tick_ < now_) next_tick_ = (now_ + *tick - Duration(1)) / *tick * *tick;
    if (!rule.is_at_rest(*this)) consider(Next::Tick, next_tick_);
  }
  return next;
}

void Fleet::happen(Next what, Rule& rule) {
  switch (what) {
    case Next::Reply:
      return reply();
    case Next::Ready:
      return become_ready();
    case Next::Arrival:
      arrive();
      return rule.arrived(*this);
    case Next::IdleEnd:
      return stop_idle(*rule.idle_time(), rule.always());
    case Next::Tick:
      next_tick_ += *rule.tick();
      return rule.ticked(*this);
    case Next::Nothing:
      return;
  }
}

void Fleet::advance(Duration to) {
  const double seconds = to_seconds(to - now_);
  running_s_ += running_ * seconds;
  present_s_ += present() * seconds;
  now_ = to;
}

void Fleet::arrive() {
  queue_.push_back(traffic_.arrivals[arrived_++]);
  dispatch();
}

void Fleet::reply() {
  const std::uint32_t replica = replies_.top().second;
  replies_.pop();
  last_reply_ = now_;
  running_ -= 1;
  Replica& self = replicas_[replica];
  self.running -= 1;
  if (self.running == 0) spend(replica, Spending::Busy);
  if (self.state == State::Draining) {
    if (self.running == 0) self.state = State::Gone;
    return;
  }
  if (self.running == 0) {
    go_idle(replica);
  } else {
    with_room_.insert(replica);
  }
  dispatch();
}

void Fleet::become_ready() {
  const std::uint32_t replica = starting_.front();
  starting_.pop_front();
  spend(replica, Spending::Starting);
  replicas_[replica].state = State::Ready;
  ready_.insert(replica);
  go_idle(replica);
  dispatch();
}

void Fleet::dispatch() {
  while (!queue_.empty() && !with_room_.empty()) {
    serve(*with_room_.begin(), queue_.front());
    queue_.pop_front();
  }
}

void Fleet::serve(std::uint32_t replica, std::uint32_t arrival) {
  const Arrival& request = traffic_.trace.arrivals[arrival];
  outcome_.waited(arrival, request.at, now_);
  Replica& self = replicas_[replica];
  if (self.running == 0) spend(replica, Spending::Idle);
  self.running += 1;
  if (self.running == terms_.slots) with_room_.erase(replica);
  running_ += 1;
  replies_.emplace(now_ + request.service, replica);
}

void Fleet::go_idle(std::uint32_t replica) {
  with_room_.insert(replica);
  while (!idle_.empty() && !is_idle_since(idle_.front())) idle_.pop_front();
  idle_.push_back({.since = now_, .replica = replica});
}

bool Fleet::is_idle_since(const Idle& idle) const {
  const Replica& replica = replicas_[idle.replica];
  return replica.state == State::Ready && replica.running == 0 && replica.since == idle.since;
}

void Fleet::start(std::uint32_t count) {
  const std::uint32_t room = terms_.replicas_max - std::min(live(), terms_.replicas_max);
  for (std::uint32_t i = 0; i < std::min(count, room); ++i) {
    starting_.push_back(static_cast<std::uint32_t>(replicas_.size()));
    replicas_.push_back({.since = now_});
    outcome_.cold_starts += 1;
  }
}

void Fleet::start_for_waiting() {
  const std::uint64_t promised = std::uint64_t{starting()} * terms_.slots;
  if (waiting() <= promised) return;
  start(static_cast<std::uint32_t>((waiting() - promised + terms_.slots - 1) / terms_.slots));
}

void Fleet::stop_idle(Duration idle_for, std::uint32_t keep) {
  while (!idle_.empty() && idle_.front().since + idle_for <= now_ && live() > keep) {
    const Idle idle = idle_.front();
    idle_.pop_front();
    if (is_idle_since(idle)) stop_ready(idle.replica);
  }
}

void Fleet::scale_to(std::uint32_t wanted) {
  if (wanted > live()) return start(wanted - live());
  while (live() > wanted && !starting_.empty()) {
    spend(starting_.back(), Spending::Starting);
    replicas_[starting_.back()].state = State::Gone;
    starting_.pop_back();
  }
  if (live() <= wanted) return;
  std::vector<std::uint32_t> ready(ready_.begin(), ready_.end());
  std::ranges::sort(ready, [&](std::uint32_t a, std::uint32_t b) {
    return std::pair(replicas_[a].running, b) < std::pair(replicas_[b].running, a);
  });
  for (std::size_t i = 0; live() > wanted; ++i) stop_ready(ready[i]);
}

void Fleet::stop_ready(std::uint32_t replica) {
  Replica& self = replicas_[replica];
  with_room_.erase(replica);
  ready_.erase(replica);
  self.state = self.running == 0 ? State::Gone : State::Draining;
  if (self.running == 0) spend(replica, Spending::Idle);
}

void Fleet::spend(std::uint32_t replica, Spending what) {
  outcome_.spend(what, replicas_[replica].since, now_);
  replicas_[replica].since = now_;
}

void Fleet::finish(Duration end) {
  for (const std::uint32_t replica : with_room_)
    outcome_.spend(Spending::Idle, replicas_[replica].since, end);
}

}  // namespace kelvin::plan
