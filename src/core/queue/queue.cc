#include "core/queue/queue.h"

#include "base/check.h"

namespace kelvin::queue {

bool WaitQueue::try_push(const Waiting& waiting) {
  KELVIN_CHECK(!has(waiting.request));
  if (size() >= limit_) return false;
  const std::uint64_t number = arrivals_++;
  lines_[waiting.key].emplace(number, waiting);
  places_.emplace(waiting.request, Place{.key = waiting.key, .number = number});
  deadlines_.emplace(waiting.deadline, waiting.request);
  return true;
}

std::optional<Waiting> WaitQueue::pop() {
  if (!returned_.empty()) return take_first(returned_);
  if (lines_.empty()) return std::nullopt;
  auto line = lines_.lower_bound(next_key_);
  if (line == lines_.end()) line = lines_.begin();
  next_key_ = {line->first.value + 1};
  Waiting waiting = take_first(line->second);
  if (line->second.empty()) lines_.erase(line);
  waiting.turn = turns_++;
  return waiting;
}

void WaitQueue::put_back(const Waiting& waiting) {
  KELVIN_CHECK(!has(waiting.request));
  returned_.emplace(waiting.turn, waiting);
  places_.emplace(waiting.request, Place{.is_returned = true, .number = waiting.turn});
  deadlines_.emplace(waiting.deadline, waiting.request);
}

bool WaitQueue::remove(RequestId request) { return take(request).has_value(); }

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
  while (std::optional<Waiting> waiting = pop()) all.push_back(*waiting);
  return all;
}

Instant WaitQueue::next_deadline() const {
  return deadlines_.empty() ? Instant::never() : deadlines_.begin()->first;
}

Waiting WaitQueue::take_first(Line& line) {
  const auto first = line.begin();
  Waiting waiting = first->second;
  line.erase(first);
  places_.erase(waiting.request);
  deadlines_.erase({waiting.deadline, waiting.request});
  return waiting;
}

std::optional<Waiting> WaitQueue::take(RequestId request) {
  const auto found = places_.find(request);
  if (found == places_.end()) return std::nullopt;
  const Place place = found->second;
  Line& line = place.is_returned ? returned_ : lines_.at(place.key);
  const Waiting waiting = line.at(place.number);
  line.erase(place.number);
  if (!place.is_returned && line.empty()) lines_.erase(place.key);
  places_.erase(found);
  deadlines_.erase({waiting.deadline, request});
  return waiting;
}

}  // namespace kelvin::queue
