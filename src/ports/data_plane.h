// data_plane: what control asks of the gateway.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "model/effect.h"
#include "model/key.h"

namespace kelvin::ports {

// Called on the control thread (keys: on any thread); every function hands a message to the loops and returns.
class DataPlane {
 public:
  virtual ~DataPlane() = default;

  virtual void change_route(const model::Route& route) = 0;
  virtual void change_keys(std::shared_ptr<const std::vector<model::Key>> keys) = 0;
  // A slot has been taken for it.
  virtual void hand_over(const model::Handover& handover) = 0;
  virtual void refuse(const model::RefuseRequest& refusal) = 0;
  virtual void tell_progress(const model::TellProgress& progress) = 0;
  // When every loop has done so, ConnectionsClosed is posted.
  virtual void close_connections(ReplicaId replica) = 0;
  // Every loop posts a BusyMeasured.
  virtual void ask_busy() = 0;
};

}  // namespace kelvin::ports
