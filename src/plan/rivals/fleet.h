// fleet: the replicas of one app under a rule that is not Kelvin's, on made-up time.
//
// A request takes a slot of the first ready replica with room, the oldest first, or waits its turn. Packing like this
// lets the younger replicas go idle, which every rule here needs to ever get smaller; it is the kindest order for all
// of them, and the same for all. A replica is ready exactly `cold` after the order. One that has to go while it works
// takes no more requests and ends with its last reply, so no rule loses a request.
//
// At one moment: replies come first, then replicas get ready, then requests come, then idle times end, then the rule's
// tick. So a request that comes in the last moment of an idle time finds the replica.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <queue>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "plan/outcome.h"
#include "plan/trace.h"

namespace kelvin::plan {

class Fleet;

// When an app gets more replicas and when fewer. A rule sees nothing of the future: only what the fleet says of now.
class Rule {
 public:
  virtual ~Rule() = default;

  // A request came, and got a slot or waits.
  virtual void arrived(Fleet& fleet) = 0;
  // Called at multiples of `tick`.
  virtual void ticked(Fleet& /*fleet*/) {}
  [[nodiscard]] virtual std::optional<Duration> tick() const { return std::nullopt; }
  // A replica without a request for this long ends.
  [[nodiscard]] virtual std::optional<Duration> idle_time() const { return std::nullopt; }
  // These are ready at the first moment of the trace, and are paid for until its last reply.
  [[nodiscard]] virtual std::uint32_t always() const { return 0; }
  // No tick would do anything before the next request comes.
  [[nodiscard]] virtual bool is_at_rest(const Fleet& /*fleet*/) const { return true; }
};

class Fleet {
 public:
  // One app's part of a trace: which of its arrivals, in order, and when the trace's last reply would come if nobody
  // ever waited. `outcome` belongs to the whole trace.
  struct Traffic {
    const Trace& trace;
    std::span<const std::uint32_t> arrivals;
    Duration end{};
  };
  Fleet(const Traffic& traffic, const Terms& terms, Outcome& outcome);
  void run(Rule& rule);

  // What a rule may see.
  [[nodiscard]] Duration now() const { return now_; }
  [[nodiscard]] std::uint32_t slots() const { return terms_.slots; }
  [[nodiscard]] std::uint32_t starting() const {
    return static_cast<std::uint32_t>(starting_.size());
  }
  [[nodiscard]] std::uint32_t ready() const { return static_cast<std::uint32_t>(ready_.size()); }
  [[nodiscard]] std::uint32_t live() const { return ready() + starting(); }
  [[nodiscard]] std::uint32_t waiting() const { return static_cast<std::uint32_t>(queue_.size()); }
  [[nodiscard]] std::uint32_t present() const { return running_ + waiting(); }
  [[nodiscard]] Duration oldest_wait() const;
  // The integral of requests running, and of those present (waiting ones too), up to now, in request-seconds.
  [[nodiscard]] double running_s() const { return running_s_; }
  [[nodiscard]] double present_s() const { return present_s_; }

  // What a rule may do.
  void start(std::uint32_t count);
  // Starts as many as the waiting requests need beyond the slots of replicas that are being started already.
  void start_for_waiting();
  // Ends replicas that have been idle for that long, the longest first, while more than `keep` live.
  void stop_idle(Duration idle_for, std::uint32_t keep);
  // Starts or stops until so many live: those being started go first, the youngest ahead; then those with the fewest
  // requests, the youngest ahead.
  void scale_to(std::uint32_t wanted);

 private:
  enum class State : std::uint8_t { Starting, Ready, Draining, Gone };
  struct Replica {
    State state = State::Starting;
    std::uint32_t running = 0;
    Duration since{};  // what it does now began then
  };
  struct Idle {
    Duration since{};
    std::uint32_t replica = 0;
  };
  using Reply = std::pair<Duration, std::uint32_t>;  // when, by which replica
  enum class Next : std::uint8_t { Reply, Ready, Arrival, IdleEnd, Tick, Nothing };

  void open(std::uint32_t count);
  [[nodiscard]] std::pair<Next, Duration> next_event(const Rule& rule);
  void happen(Next what, Rule& rule);
  void advance(Duration to);
  void arrive();
  void reply();
  void become_ready();
  void dispatch();
  void serve(std::uint32_t replica, std::uint32_t arrival);
  void go_idle(std::uint32_t replica);
  void stop_ready(std::uint32_t replica);
  void spend(std::uint32_t replica, Spending what);
  void finish(Duration end);
  [[nodiscard]] bool is_idle_since(const Idle& idle) const;

  const Traffic& traffic_;
  const Terms& terms_;
  Outcome& outcome_;
  Duration now_{};
  Duration last_reply_{};
  Duration next_tick_{};
  double running_s_ = 0;
  double present_s_ = 0;
  std::uint32_t running_ = 0;
  std::size_t arrived_ = 0;
  std::vector<Replica> replicas_;       // by age, those that are gone too
  std::deque<std::uint32_t> starting_;  // the oldest is ready first
  std::set<std::uint32_t> ready_;
  std::set<std::uint32_t> with_room_;  // of the ready ones
  std::deque<Idle> idle_;  // by `since`; entries of replicas that have worked since are passed over
  std::deque<std::uint32_t> queue_;
  std::priority_queue<Reply, std::vector<Reply>, std::greater<>> replies_;
};

}  // namespace kelvin::plan
