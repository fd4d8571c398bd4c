#include "core/queue/queue.h"

#include <iterator>

#include "base/check.h"

namespace kelvin::queue {

using model::Priority;

std::size_t WaitQueue::size(Lane lane) const {
  const auto found = lanes_.find(lane);
  return found == lanes_.end() ? 0 : found->second.size();
}

std::size_t WaitQueue::wanting(Lane lane) const {
  const auto found = lanes_.find(lane);
  if (found == lanes_.end()) return 0;
  std::size_t count = found->second.ordinary.size();
  for (const auto& [turn, waiting] : found->second.returned) {
    count += waiting.priority == Priority::Low ? 0 : 1;
  }
  return count;
}

std::size_t WaitQueue::keys() const {
  std::set<KeyId> keys;
  for (const auto& [lane, rounds] : lanes_) {
    for (const auto& [turn, waiting] : rounds.returned) keys.insert(waiting.key);
    for (const Round* round : {&rounds.ordinary, &rounds.low}) {
      round->for_each_key([&](KeyId key) { keys.insert(key); });
    }
  }
  return keys.size();
}

std::vector<Lane> WaitQueue::lanes() const {
  std::vector<Lane> lanes;
  for (const auto& [lane, rounds] : lanes_) lanes.push_back(lane);
  return lanes;
}

bool WaitQueue::try_push(const Waiting& waiting) {
  KELVIN_CHECK(!has(waiting.request));
  if (is_full()) return false;
  stand(waiting,
        {.lane = waiting.lane,
         .key = waiting.key,
         .priority = waiting.priority,
         .rank = {.is_behind = waiting.priority != Priority::High, .arrival = arrivals_++}});
  return true;
}

std::optional<Waiting> WaitQueue::pop(Lane lane) {
  const auto found = lanes_.find(lane);
  if (found == lanes_.end()) return std::nullopt;
  Rounds& rounds = found->second;
  Waiting waiting;
  if (!rounds.returned.empty()) {
    waiting = rounds.returned.begin()->second;
    rounds.returned.erase(rounds.returned.begin());
  } else {
    waiting = rounds.ordinary.is_empty() ? rounds.low.pop() : rounds.ordinary.pop();
    waiting.turn = turns_++;
  }
  if (rounds.size() == 0) lanes_.erase(found);
  forget(waiting);
  return waiting;
}

const Waiting* WaitQueue::peek(Lane lane) const {
  const auto found = lanes_.find(lane);
  if (found == lanes_.end()) return nullptr;
  const Rounds& rounds = found->second;
  if (!rounds.returned.empty()) return &rounds.returned.begin()->second;
  return rounds.ordinary.is_empty() ? &rounds.low.front() : &rounds.ordinary.front();
}

void WaitQueue::put_back(const Waiting& waiting) {
  KELVIN_CHECK(!has(waiting.request));
  stand(waiting, {.lane = waiting.lane,
                  .key = waiting.key,
                  .priority = waiting.priority,
                  .is_returned = true,
                  .rank = {.arrival = waiting.turn}});
}

bool WaitQueue::remove(RequestId request) { return take(request).has_value(); }

void WaitQueue::move_lane(Lane from, Lane to) {
  if (from == to) return;
  for (auto place = places_.begin(); place != places_.end(); ++place) {
    if (place->second.lane != from) continue;
    Place there = place->second;
    Waiting waiting = leave(place);
    waiting.lane = there.lane = to;
    Rounds& rounds = lanes_[to];
    place->second = there;
    if (there.is_returned) {
      rounds.returned.emplace(there.rank.arrival, waiting);
    } else {
      rounds.of(there.priority).add(there.rank, waiting);
    }
  }
}

std::vector<Waiting> WaitQueue::take_expired(Instant now) {
  std::vector<Waiting> expired;
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    expired.push_back(*take(deadlines_.begin()->second));
  }
  return expired;
}

std::vector<Waiting> WaitQueue::take_all() {
  std::vector<Waiting> all;
  all.reserve(size());
  for (const Lane lane : lanes()) {
    while (std::optional<Waiting> waiting = pop(lane)) all.push_back(*waiting);
  }
  return all;
}

std::vector<Waiting> WaitQueue::take_all(Lane lane) {
  std::vector<Waiting> all;
  while (std::optional<Waiting> waiting = pop(lane)) all.push_back(*waiting);
  return all;
}

Instant WaitQueue::next_deadline() const {
  return deadlines_.empty() ? Instant::never() : deadlines_.begin()->first;
}

const Waiting* WaitQueue::find(RequestId request) const {
  const auto found = places_.find(request);
  if (found == places_.end()) return nullptr;
  const Place& place = found->second;
  const Rounds& rounds = lanes_.at(place.lane);
  if (place.is_returned) return &rounds.returned.at(place.rank.arrival);
  const Round& round = place.priority == Priority::Low ? rounds.low : rounds.ordinary;
  return &round.at(place.key, place.rank);
}

std::size_t WaitQueue::place_of(RequestId request) const {
  const auto found = places_.find(request);
  if (found == places_.end()) return 0;
  const Place& place = found->second;
  const Rounds& rounds = lanes_.at(place.lane);
  if (place.is_returned) {
    const auto at = rounds.returned.find(place.rank.arrival);
    return static_cast<std::size_t>(std::distance(rounds.returned.begin(), at)) + 1;
  }
  const std::size_t before = rounds.returned.size() + 1;
  if (place.priority != Priority::Low)
    return before + rounds.ordinary.ahead_of(place.key, place.rank);
  return before + rounds.ordinary.size() + rounds.low.ahead_of(place.key, place.rank);
}

void WaitQueue::stand(const Waiting& waiting, Place place) {
  Rounds& rounds = lanes_[place.lane];
  if (place.is_returned) {
    rounds.returned.emplace(place.rank.arrival, waiting);
  } else {
    rounds.of(place.priority).add(place.rank, waiting);
  }
  places_.emplace(waiting.request, place);
  deadlines_.emplace(waiting.deadline, waiting.request);
  low_ += place.priority == Priority::Low ? 1 : 0;
}

// Out of its line; its place is still written down.
Waiting WaitQueue::leave(std::map<RequestId, Place>::iterator found) {
  const Place& place = found->second;
  const auto lane = lanes_.find(place.lane);
  Rounds& rounds = lane->second;
  Waiting waiting;
  if (place.is_returned) {
    const auto at = rounds.returned.find(place.rank.arrival);
    waiting = at->second;
    rounds.returned.erase(at);
  } else {
    waiting = rounds.of(place.priority).take(place.key, place.rank);
  }
  if (rounds.size() == 0) lanes_.erase(lane);
  return waiting;
}

void WaitQueue::forget(const Waiting& waiting) {
  places_.erase(waiting.request);
  deadlines_.erase({waiting.deadline, waiting.request});
  low_ -= waiting.priority == Priority::Low ? 1 : 0;
}

std::optional<Waiting> WaitQueue::take(RequestId request) {
  const auto found = places_.find(request);
  if (found == places_.end()) return std::nullopt;
  const Waiting waiting = leave(found);
  forget(waiting);
  return waiting;
}

}  // namespace kelvin::queue
