// control: how the rest of the program speaks to the control thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/result.h"
#include "model/event.h"
#include "model/view.h"

namespace kelvin::ports {

// All functions may be called from any thread.
class Control {
 public:
  virtual ~Control() = default;

  // Hands an event to the control thread; never blocks, never drops. What may arrive without bound is bounded by its
  // senders: a Demand by the app's queue, everything else by the number of replicas.
  virtual void post(model::Event event) = 0;

  // The views are copies made on the control thread; these calls wait for it. After `post` on the same thread, a view
  // shows the event's outcome.
  virtual std::vector<model::AppView> apps() = 0;
  virtual std::optional<model::AppView> find_app(AppId app) = 0;
  virtual std::optional<model::AppView> find_named_app(const model::AppName& name) = 0;
  virtual std::optional<model::RequestView> find_request(RequestId request) = 0;  // while it waits
  virtual std::vector<model::ReplicaView> replicas(AppId app) = 0;                // app 0: all
  virtual std::vector<model::Revision> revisions(AppId app) = 0;

  // The decision log, oldest first; a bounded ring, so old entries are gone.
  using DecisionFilter = model::DecisionFilter;
  virtual std::vector<model::Decision> decisions(const DecisionFilter& filter) = 0;
};

}  // namespace kelvin::ports
