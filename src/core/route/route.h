// route: in which order to try an app's ready replicas.
//
// Small limits (at most kSmallLimit slots): first with room, in the order given. Requests pack onto
// the first replicas and the last ones go idle, which is what lets them cool. Larger limits: two
// replicas with room are drawn at random and the one that is less full, relative to its limit, is
// tried first (the power of two choices, Mitzenmacher 1996: the fullest replica stays within log
// log n of the mean, without every loop choosing the same one). The others with room follow, so
// that a lost race for a slot costs one more try and not a wait.
//
// Spares are replicas that the app's load does not call for (see control/spares.cc). They come after
// all others, in the order given: spread over every replica that happens to be warm, a little work
// would keep all of them warm for ever.
//
// Affinity: requests with the same hash go to the same replica. Every replica gets a weight from
// hash and id, and the heaviest is first (rendezvous hashing, Thaler and Ravishankar 1998): where a
// replica comes or goes, only its own requests move. A popular hash must not overload one replica,
// so a replica may take a request only while it then has at most its part, by slots, of 1.25 times
// all requests in flight (consistent hashing with bounded loads, Mirrokni, Thorup, Zadimoghaddam
// 2018), rounded up; the next in the order takes the others. Where every replica with room is
// beyond that bound, the order alone decides: a bound is no reason to wait.
//
// Worked example: 4 replicas of 10 slots, 7 requests in flight, of which the heaviest for this hash
// has 3. With this one there are 8; the bound is ceil(1.25 * 8 * 10 / 40) = 3, so the second in the
// order is tried first and the heaviest comes behind all others.
//
// A wanted replica (`Kelvin-Replica`) is first wherever it has room. Where the app's traffic is
// split, draw_revision chooses a revision and pick looks at that revision's replicas only.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/id.h"
#include "base/random.h"
#include "model/app.h"

namespace kelvin::route {

// What the slot word of a replica says at this moment.
struct ReplicaLoad {
  std::uint32_t in_flight = 0;
  std::uint32_t slots = 1;   // its limit
  bool is_open = true;       // false: closed, or its word is of another generation
  ReplicaId id = {};         // for affinity and wanted replicas
  RevisionId revision = {};  // for split traffic
  bool is_spare = false;     // tried after those that are not
};

// What a request asks of its replica.
struct Wish {
  std::optional<std::uint64_t> affinity = std::nullopt;  // hash; see gateway/affinity.h
  ReplicaId wanted = {};                                 // 0: any
  RevisionId revision = {};                              // 0: any
};

constexpr std::uint32_t kSmallLimit = 3;
// Losing this many races in a row means that the app is full; the request then queues.
constexpr std::size_t kTriesMax = 8;

// Indices into the loads given to pick, best first; empty when none has room.
class Order {
 public:
  void add(std::uint32_t index) {
    if (size_ < kTriesMax) indices_[size_++] = index;
  }
  void add_once(std::uint32_t index);  // nothing where it is there already
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::uint32_t operator[](std::size_t i) const { return indices_[i]; }
  [[nodiscard]] const std::uint32_t* begin() const { return indices_.data(); }
  [[nodiscard]] const std::uint32_t* end() const { return indices_.data() + size_; }

 private:
  std::array<std::uint32_t, kTriesMax> indices_{};
  std::size_t size_ = 0;
};

// `loads` in the order of the route's replicas, which is by id. Allocates nothing; takes time
// linear in `loads`.
[[nodiscard]] Order pick(std::span<const ReplicaLoad> loads, const Wish& wish,
                         Random& random) noexcept;
[[nodiscard]] Order pick(std::span<const ReplicaLoad> loads, Random& random) noexcept;

// Whether `a` goes before `b` for this hash. A total order over replicas.
[[nodiscard]] bool comes_first(std::uint64_t affinity, ReplicaId a, ReplicaId b) noexcept;

// The revision that a request falls on: by its affinity hash, so that a conversation stays with its
// revision, else by chance. 0 where there are no shares.
[[nodiscard]] RevisionId draw_revision(std::span<const model::RevisionShare> shares,
                                       std::optional<std::uint64_t> affinity,
                                       Random& random) noexcept;

}  // namespace kelvin::route
