// round: whose turn it is among the keys that wait, each getting turns in proportion to its weight.
//
// Start-time fair queueing (Goyal, Vin, Cheng, SIGCOMM 1996) with requests of equal size. Every key
// has a tag; the key with the smallest is next (equal ones by id), and its tag grows by 1 / weight.
// The clock is the tag of whoever was served last. A key that begins to wait starts at the clock,
// or at its own tag where that is ahead: pausing earns nothing and costs nothing. While two keys
// wait all the time, their turns, each divided by the key's weight, differ by at most 1 / w1 + 1 /
// w2.
//
// Worked example: key 1 with weight 2 queues a, b, c, d, key 2 with weight 1 queues x, y. Tags are
// 0, 1/2, 1, 3/2 and 0, 1; the order is a, x, b, c, y, d: twice as many of key 1 as of key 2.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/id.h"
#include "base/time.h"
#include "model/request.h"

namespace kelvin::queue {

// Requests of one lane wait for the same replicas: for any that takes the app's requests, for those
// of one revision, or for one that is being woken for them.
struct Lane {
  RevisionId revision;  // 0: whichever serves
  ReplicaId replica;    // 0: any
  auto operator<=>(const Lane&) const = default;
};

struct Waiting {
  RequestId request;
  KeyId key;                 // 0: no key; all requests without one count as one key
  std::uint32_t weight = 1;  // of the key
  model::Priority priority = model::Priority::Normal;
  std::uint32_t loop = 0;  // gateway loop that holds its connection
  Instant arrived;
  Instant deadline;                                      // when its wait ends with a refusal
  bool is_deadline_own = false;                          // its client's, not queue.wait
  std::optional<std::uint64_t> affinity = std::nullopt;  // see core/route
  ReplicaId wanted = {};                                 // preferred where it has room
  Lane lane;
  std::uint64_t turn = 0;  // set by pop: its place among those handed over
};

// Where a request stands in the line of its key.
struct Rank {
  bool is_behind = false;  // normal ones, behind high ones
  std::uint64_t arrival = 0;
  auto operator<=>(const Rank&) const = default;
};

class Round {
 public:
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool is_empty() const { return size_ == 0; }
  [[nodiscard]] bool has_key(KeyId key) const { return lines_.contains(key); }
  [[nodiscard]] const Waiting& at(KeyId key, Rank rank) const;
  template <class See>
  void for_each_key(See see) const {
    for (const auto& [key, line] : lines_) see(key);
  }

  // The latest weight of a key holds.
  void add(Rank rank, const Waiting& waiting);
  // The next one, with its key charged; the round is not empty.
  Waiting pop();
  [[nodiscard]] const Waiting& front() const;
  // Out of the line, without a charge; it must be there.
  Waiting take(KeyId key, Rank rank);
  // How many are popped before this one, if nobody comes or leaves.
  [[nodiscard]] std::size_t ahead_of(KeyId key, Rank rank) const;

 private:
  using Tag = std::uint64_t;
  // What a turn of a key of weight 1 adds to its tag. 2^44 turns fit before a tag runs over.
  static constexpr Tag kTurn = 1U << 20U;

  // The requests of one key, never none.
  struct Line {
    std::map<Rank, Waiting> waiting;
    std::uint32_t weight = 1;
    Tag tag = 0;  // of its first
  };

  static Tag stride(const Line& line) { return kTurn / line.weight; }
  void close_line(KeyId key, Tag tag);
  void forget_spent();

  std::map<KeyId, Line> lines_;
  std::set<std::pair<Tag, KeyId>> order_;  // one entry per line
  // Tags of keys that do not wait and are ahead of the clock: at most one per key that has waited
  // since the round was last empty.
  std::map<KeyId, Tag> spent_;
  std::set<std::pair<Tag, KeyId>> spent_order_;
  Tag clock_ = 0;
  std::size_t size_ = 0;
};

}  // namespace kelvin::queue
