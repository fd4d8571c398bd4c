// collector: removes content that no revision needs, off the path of requests.
//
// Wishes that come while one is carried out become a single further one. Content of a deleted app stays for as long as
// one of its replicas lives: it runs in that folder.
#pragma once

#include <condition_variable>
#include <mutex>

#include "base/time.h"
#include "os/thread.h"

namespace kelvin::api {

struct ApiPorts;

class Collector {
 public:
  // `ports` outlives the collector.
  Collector(const ApiPorts& ports, Duration again_after)
      : ports_(ports), again_after_(again_after) {}
  ~Collector() { stop(); }
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  void start();
  void stop();
  void request();

 private:
  enum class Outcome { Done, TooEarly };
  void run();
  Outcome collect();

  const ApiPorts& ports_;
  const Duration again_after_;  // when it was too early
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_wanted_ = false;
  bool is_closing_ = false;
  os::Thread thread_;
};

}  // namespace kelvin::api
