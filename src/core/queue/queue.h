// queue: who is next among the requests of one app that wait for a slot.
//
// Bounded. Within a key: high priority first, then first come, first served. Between keys: turns in
// proportion to their weights (round.h), so that one busy key cannot hold up the others, and calling
// every request high gains nothing over another key. Low priority is a round of its own, served only
// while nobody else waits. A request that was handed over and came back (its slot was gone) stands
// before everybody who was not handed over yet, in the order in which they were: nobody loses a
// place through a race.
//
// Worked example: key 1 queues a, b, c and key 2 queues x. pop gives a, x, b, c. Where a and x come
// back before b is popped, the next pops give a, x, b, c again.
//
// Requests that different replicas will serve stand in different lanes; the limit, the deadlines
// and the identities are of all lanes together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/id.h"
#include "base/time.h"
#include "core/queue/round.h"

namespace kelvin::queue {

class WaitQueue {
 public:
  explicit WaitQueue(std::size_t limit) : limit_(limit) {}

  // A smaller limit than what waits refuses only newcomers.
  void set_limit(std::size_t limit) { limit_ = limit; }
  [[nodiscard]] std::size_t limit() const { return limit_; }
  [[nodiscard]] std::size_t size() const { return places_.size(); }
  [[nodiscard]] bool is_empty() const { return places_.empty(); }
  [[nodiscard]] bool is_full() const { return size() >= limit_; }
  [[nodiscard]] bool has(RequestId request) const { return places_.contains(request); }
  [[nodiscard]] std::size_t size(Lane lane) const;
  // Those that may be a reason for a start or a resume: all but low priority.
  [[nodiscard]] std::size_t wanting() const { return places_.size() - low_; }
  [[nodiscard]] std::size_t wanting(Lane lane) const;
  [[nodiscard]] std::size_t keys() const;         // whose requests wait
  [[nodiscard]] std::vector<Lane> lanes() const;  // in which somebody waits

  // False when full: the caller answers 429. The request must not be in the queue yet.
  [[nodiscard]] bool try_push(const Waiting& waiting);

  // The next one of the lane, out of the queue.
  [[nodiscard]] std::optional<Waiting> pop(Lane lane = {});
  // The same one, where it stands; null when nobody waits.
  [[nodiscard]] const Waiting* peek(Lane lane) const;

  // Back to the place it was popped from. Never refused: it was admitted before.
  void put_back(const Waiting& waiting);

  // False when it does not wait here.
  bool remove(RequestId request);

  // All of `from` join `to`, each at the place of its arrival in the line of its key.
  void move_lane(Lane from, Lane to);

  // Those whose deadline is `now` or earlier, by deadline.
  [[nodiscard]] std::vector<Waiting> take_expired(Instant now);
  // Everybody, lane by lane, in the order in which pop would give them.
  [[nodiscard]] std::vector<Waiting> take_all();
  [[nodiscard]] std::vector<Waiting> take_all(Lane lane);

  // never() when nobody waits.
  [[nodiscard]] Instant next_deadline() const;

  // Null when it does not wait here.
  [[nodiscard]] const Waiting* find(RequestId request) const;
  // Its place in its lane, from 1, if nobody comes or leaves; 0 when it does not wait here.
  // Linear in the requests of its key and in the keys.
  [[nodiscard]] std::size_t place_of(RequestId request) const;

 private:
  // Where a request stands: in the line of its key, or among those that came back.
  struct Place {
    Lane lane;
    KeyId key;
    model::Priority priority = model::Priority::Normal;
    bool is_returned = false;
    Rank rank;  // in the line; returned: its turn stands in `arrival`
  };
  struct Rounds {
    std::map<std::uint64_t, Waiting> returned;  // by turn
    Round ordinary;
    Round low;
    [[nodiscard]] std::size_t size() const {
      return returned.size() + ordinary.size() + low.size();
    }
    Round& of(model::Priority priority) {
      return priority == model::Priority::Low ? low : ordinary;
    }
  };

  void stand(const Waiting& waiting, Place place);
  Waiting leave(std::map<RequestId, Place>::iterator found);
  void forget(const Waiting& waiting);
  std::optional<Waiting> take(RequestId request);

  std::size_t limit_;
  std::size_t low_ = 0;           // how many of all have low priority
  std::map<Lane, Rounds> lanes_;  // none is empty
  std::map<RequestId, Place> places_;
  std::set<std::pair<Instant, RequestId>> deadlines_;
  std::uint64_t arrivals_ = 0;
  std::uint64_t turns_ = 0;
};

}  // namespace kelvin::queue
