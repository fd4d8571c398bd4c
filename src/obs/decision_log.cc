#include "obs/decision_log.h"

#include <algorithm>
#include <utility>

namespace kelvin::obs {

namespace {

bool matches(const model::Decision& decision, const model::DecisionFilter& filter) {
  return (!filter.app || decision.app == filter.app) &&
         (!filter.replica || decision.replica == filter.replica) &&
         (!filter.request || decision.request == filter.request);
}

}  // namespace

void DecisionLog::add(model::Decision decision) {
  if (decision.sentence.size() > limits_.sentence_bytes_max) {
    decision.sentence.resize(limits_.sentence_bytes_max);
    decision.sentence += "...";
  }
  const std::scoped_lock lock(mutex_);
  if (entries_.size() >= limits_.entries_max && !entries_.empty()) entries_.pop_front();
  entries_.push_back(std::move(decision));
}

std::vector<model::Decision> DecisionLog::find(const model::DecisionFilter& filter) const {
  std::vector<model::Decision> found;
  const std::scoped_lock lock(mutex_);
  for (auto at = entries_.rbegin(); at != entries_.rend() && found.size() < filter.most; ++at) {
    if (matches(*at, filter)) found.push_back(*at);
  }
  std::reverse(found.begin(), found.end());
  return found;
}

}  // namespace kelvin::obs
