#include "api/collector.h"

#include <set>
#include <string>
#include <vector>

#include "api/api.h"

namespace kelvin::api {

void Collector::start() {
  thread_ = os::Thread("collector", [this] { run(); });
}

void Collector::stop() {
  {
    const std::scoped_lock lock(mutex_);
    is_closing_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Collector::request() {
  {
    const std::scoped_lock lock(mutex_);
    is_wanted_ = true;
  }
  changed_.notify_all();
}

void Collector::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return is_wanted_ || is_closing_; });
    if (is_closing_) return;
    is_wanted_ = false;
    lock.unlock();
    const Outcome outcome = collect();
    lock.lock();
    if (outcome == Outcome::Done) continue;
    changed_.wait_for(lock, again_after_, [this] { return is_closing_; });
    is_wanted_ = true;
  }
}

Collector::Outcome Collector::collect() {
  const Result<std::vector<ports::StoredRevision>> stored = ports_.store.revisions();
  if (!stored) {
    ports_.log.warn("content is not collected", {{"why", stored.error().what}});
    return Outcome::Done;
  }
  std::vector<std::string> folders;
  std::set<RevisionId> known;
  for (const ports::StoredRevision& one : *stored) {
    folders.push_back(one.revision.folder);
    known.insert(one.revision.id);
  }
  for (const model::ReplicaView& replica : ports_.control.replicas({})) {
    if (replica.state != model::State::Gone && !known.contains(replica.revision))
      return Outcome::TooEarly;
  }
  if (const Status done = ports_.content.collect(folders); !done) {
    ports_.log.warn("content is not collected", {{"why", done.error().what}});
  }
  return Outcome::Done;
}

}  // namespace kelvin::api
