// actor: one thread of the real program, cut into steps.
//
// Tasks run one after another; the steps of a task follow each other with a random gap of microseconds, in which the
// steps of other actors run. That is how races between loops and the control thread are explored on one thread.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <utility>

#include "sim/ground.h"

namespace kelvin::sim {

class Actor {
 public:
  explicit Actor(Ground& ground) : ground_(ground) {}

  // A task for when all earlier ones are done.
  void soon(std::function<void()> task) {
    steps_.push_back(std::move(task));
    wake();
  }
  // The next step of the task that is running.
  void next(std::function<void()> step) { steps_.push_front(std::move(step)); }

  // A task for later; it queues when its moment has come.
  void at(Instant moment, std::function<void()> task) {
    ground_.timeline.at(moment, life_,
                        [this, task = std::move(task)]() mutable { soon(std::move(task)); });
  }
  void stop() {
    life_.end();
    steps_.clear();
  }
  [[nodiscard]] const Life& life() const { return life_; }

 private:
  void wake() {
    if (is_awake_ || steps_.empty()) return;
    is_awake_ = true;
    const Duration gap =
        ground_.one_in(200) ? ground_.between(0us, 3ms) : ground_.between(0us, 20us);
    ground_.timeline.at(std::max(ground_.now() + gap, ground_.stalled_until), life_, [this] {
      is_awake_ = false;
      const std::function<void()> step = std::move(steps_.front());
      steps_.pop_front();
      const auto watch = life_.watch();
      step();
      if (!watch.expired()) wake();
    });
  }

  Ground& ground_;
  Life life_;
  std::deque<std::function<void()>> steps_;
  bool is_awake_ = false;
};

}  // namespace kelvin::sim
