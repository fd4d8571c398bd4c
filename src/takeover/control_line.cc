#include "takeover/control_line.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

namespace kelvin::takeover {

std::vector<model::Event> arranged(std::vector<model::Event> held) {
  std::set<RequestId> left;
  for (const model::Event& event : held) {
    if (const auto* gone = std::get_if<model::RequestLeft>(&event)) left.insert(gone->request);
  }
  std::vector<model::Demand> waiting;
  std::vector<model::Event> rest;
  for (model::Event& event : held) {
    if (auto* demand = std::get_if<model::Demand>(&event)) {
      // It may have been announced twice; once is enough.
      if (left.insert(demand->request).second) waiting.push_back(*demand);
    } else if (!std::holds_alternative<model::RequestLeft>(event) &&
               !std::holds_alternative<model::ConnectionsClosed>(event)) {
      rest.push_back(std::move(event));
    }
  }
  std::sort(waiting.begin(), waiting.end(), [](const auto& a, const auto& b) {
    return std::pair(a.arrived, a.request) < std::pair(b.arrived, b.request);
  });
  std::vector<model::Event> all(std::make_move_iterator(waiting.begin()),
                                std::make_move_iterator(waiting.end()));
  std::move(rest.begin(), rest.end(), std::back_inserter(all));
  return all;
}

void ControlLine::connect(To to) {
  const std::scoped_lock lock(mutex_);
  for (model::Event& event : arranged(std::exchange(held_, {}))) to(std::move(event));
  to_ = std::move(to);
}

void ControlLine::hold() {
  const std::scoped_lock lock(mutex_);
  to_ = nullptr;
}

void ControlLine::put_in_front(std::vector<model::Event> events) {
  const std::scoped_lock lock(mutex_);
  held_.insert(held_.begin(), std::make_move_iterator(events.begin()),
               std::make_move_iterator(events.end()));
}

void ControlLine::post(model::Event event) {
  const std::scoped_lock lock(mutex_);
  if (to_) {
    to_(std::move(event));
  } else {
    held_.push_back(std::move(event));
  }
}

}  // namespace kelvin::takeover
