#include "core/queue/round.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"
#include "model/key.h"

namespace kelvin::queue {

const Waiting& Round::at(KeyId key, Rank rank) const {
  const auto line = lines_.find(key);
  KELVIN_CHECK(line != lines_.end());
  const auto found = line->second.waiting.find(rank);
  KELVIN_CHECK(found != line->second.waiting.end());
  return found->second;
}

void Round::add(Rank rank, const Waiting& waiting) {
  const auto [found, is_new] = lines_.try_emplace(waiting.key);
  Line& line = found->second;
  line.weight = std::clamp(waiting.weight, 1U, model::kKeyWeightMax);
  if (is_new) {
    line.tag = clock_;
    if (const auto spent = spent_.find(waiting.key); spent != spent_.end()) {
      line.tag = std::max(clock_, spent->second);
      spent_order_.erase({spent->second, waiting.key});
      spent_.erase(spent);
    }
    order_.emplace(line.tag, waiting.key);
  }
  line.waiting.emplace(rank, waiting);
  ++size_;
}

Waiting Round::pop() {
  KELVIN_CHECK(!is_empty());
  const auto [tag, key] = *order_.begin();
  order_.erase(order_.begin());
  clock_ = tag;
  Line& line = lines_.at(key);
  const Waiting waiting = line.waiting.begin()->second;
  line.waiting.erase(line.waiting.begin());
  line.tag += stride(line);
  --size_;
  if (line.waiting.empty()) {
    close_line(key, line.tag);
  } else {
    order_.emplace(line.tag, key);
  }
  forget_spent();
  return waiting;
}

const Waiting& Round::front() const {
  KELVIN_CHECK(!is_empty());
  return lines_.at(order_.begin()->second).waiting.begin()->second;
}

Waiting Round::take(KeyId key, Rank rank) {
  const Waiting waiting = at(key, rank);
  Line& line = lines_.at(key);
  line.waiting.erase(rank);
  --size_;
  if (line.waiting.empty()) {
    order_.erase({line.tag, key});
    close_line(key, line.tag);
    forget_spent();
  }
  return waiting;
}

std::size_t Round::ahead_of(KeyId key, Rank rank) const {
  const auto own = lines_.find(key);
  KELVIN_CHECK(own != lines_.end());
  const auto& line = own->second.waiting;
  const auto place = static_cast<std::size_t>(std::distance(line.begin(), line.find(rank)));
  const Tag tag = own->second.tag + place * stride(own->second);
  std::size_t ahead = place;
  for (const auto& [other, theirs] : lines_) {
    if (other == key || theirs.tag > tag) continue;
    const Tag gap = tag - theirs.tag;
    // How many of its tags are smaller; an equal one goes first where the id is smaller.
    Tag turns = gap / stride(theirs);
    if (gap % stride(theirs) != 0 || other < key) ++turns;
    ahead += std::min<std::size_t>(turns, theirs.waiting.size());
  }
  return ahead;
}

void Round::close_line(KeyId key, Tag tag) {
  lines_.erase(key);
  if (tag <= clock_) return;
  spent_.emplace(key, tag);
  spent_order_.emplace(tag, key);
}

void Round::forget_spent() {
  if (is_empty()) {
    spent_.clear();
    spent_order_.clear();
    clock_ = 0;
    return;
  }
  while (!spent_order_.empty() && spent_order_.begin()->first <= clock_) {
    spent_.erase(spent_order_.begin()->second);
    spent_order_.erase(spent_order_.begin());
  }
}

}  // namespace kelvin::queue
