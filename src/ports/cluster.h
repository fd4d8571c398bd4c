// cluster: where replicas run.
#pragma once

#include <functional>
#include <vector>

#include "base/result.h"
#include "model/effect.h"
#include "model/event.h"

namespace kelvin::ports {

// The functions return at once; what comes of them arrives as events through the sink given to connect().
class Cluster {
 public:
  virtual ~Cluster() = default;

  // Called once, before anything else. Returns what is there already: the nodes, then the replicas that run (adopted
  // from an earlier platform process), which the shell hands to control. `sink` may be called from any thread.
  virtual Result<std::vector<model::Event>> connect(std::function<void(model::Event)> sink) = 0;

  virtual void start(const model::StartReplica& order) = 0;
  virtual void park(const model::ParkReplica& order) = 0;
  virtual void resume(const model::ResumeReplica& order) = 0;
  virtual void stop(const model::StopReplica& order) = 0;
};

}  // namespace kelvin::ports
