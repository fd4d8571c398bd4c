// queue: who is next among the requests of one app that wait for a slot.
//
// Bounded; first come, first served within a key; round robin between keys, so that one busy key
// cannot hold up the others. A request that was handed over and came back (its slot was gone)
// stands before everybody who was not handed over yet, in the order in which they were: nobody
// loses a place through a race.
//
// Worked example: key 1 queues a, b, c and key 2 queues x. pop gives a, x, b, c. Where a and x come
// back before b is popped, the next pops give a, x, b, c again.
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

namespace kelvin::queue {

struct Waiting {
  RequestId request;
  KeyId key;               // 0: no key; all requests without one count as one key
  std::uint32_t loop = 0;  // gateway loop that holds its connection
  Instant arrived;
  Instant deadline;        // when its wait ends with 503
  std::uint64_t turn = 0;  // set by pop: its place among those handed over
};

class WaitQueue {
 public:
  explicit WaitQueue(std::size_t limit) : limit_(limit) {}

  // A smaller limit than what waits refuses only newcomers.
  void set_limit(std::size_t limit) { limit_ = limit; }
  [[nodiscard]] std::size_t limit() const { return limit_; }
  [[nodiscard]] std::size_t size() const { return places_.size(); }
  [[nodiscard]] bool is_empty() const { return places_.empty(); }
  [[nodiscard]] bool has(RequestId request) const { return places_.contains(request); }

  // False when full: the caller answers 429. The request must not be in the queue yet.
  [[nodiscard]] bool try_push(const Waiting& waiting);

  // The next one, out of the queue.
  [[nodiscard]] std::optional<Waiting> pop();

  // Back to the place it was popped from. Never refused: it was admitted before.
  void put_back(const Waiting& waiting);

  // False when it does not wait here.
  bool remove(RequestId request);

  // Those whose deadline is `now` or earlier, by deadline.
  [[nodiscard]] std::vector<Waiting> take_expired(Instant now);
  // Everybody, in the order in which pop would give them.
  [[nodiscard]] std::vector<Waiting> take_all();

  // never() when nobody waits.
  [[nodiscard]] Instant next_deadline() const;

 private:
  // Where a request stands: in the line of its key, or among those that came back.
  struct Place {
    bool is_returned = false;
    KeyId key;
    std::uint64_t number = 0;  // in the line: order of arrival; returned: its turn
  };
  using Line = std::map<std::uint64_t, Waiting>;

  Waiting take_first(Line& line);
  std::optional<Waiting> take(RequestId request);

  std::size_t limit_;
  std::map<KeyId, Line> lines_;  // none is empty
  Line returned_;                // by turn
  std::map<RequestId, Place> places_;
  std::set<std::pair<Instant, RequestId>> deadlines_;
  KeyId next_key_;  // the round goes on with this key or the one after
  std::uint64_t arrivals_ = 0;
  std::uint64_t turns_ = 0;
};

}  // namespace kelvin::queue
