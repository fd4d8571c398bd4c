// planes: the data planes of one control, which for the time of an upgrade are two.
//
// The local one is the gateway of this process. The other one is the gateway of the process that control was taken over
// from; its loops are numbered after the local ones. To control both are one data plane: it is told ConnectionsClosed
// when both have closed, and who waits at either is told of a slot that the other gives back.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "os/slot_table.h"
#include "ports/clock.h"
#include "ports/data_plane.h"
#include "takeover/message.h"

namespace kelvin::takeover {

class Planes final : public ports::DataPlane {
 public:
  // What joining needs to reach; all outlive this.
  struct Outside {
    std::function<void(model::Event)> to_control;
    os::SlotTable* slots = nullptr;
    const ports::Clock* clock = nullptr;
  };
  explicit Planes(Outside outside) : outside_(std::move(outside)) {}

  struct Local {
    ports::DataPlane* plane = nullptr;
    std::uint32_t loops = 0;
    // True: the gateway tells control of every slot that it gives back.
    std::function<void(bool)> tell_every_slot;
  };
  // Before any order.
  void set_local(Local local) { local_ = std::move(local); }

  // Before control starts: the other process's data plane. `send` may be called from any thread and returns at once.
  struct Other {
    std::uint32_t loops = 0;
    std::function<void(Message)> send;
  };
  void join(Other other);
  // Its process is dead: its slots are free, its requests have left, and nobody waits for its answers. Idempotent.
  void leave();

  // What the gateway of this process has to say to control.
  void hear_local(model::Event event);
  // What the other one says. False when it is no event of a data plane.
  bool hear_other(Message message);

  void change_route(const model::Route& route) override;
  void change_keys(std::shared_ptr<const std::vector<model::Key>> keys) override;
  void hand_over(const model::Handover& handover) override;
  void refuse(const model::RefuseRequest& refusal) override;
  void tell_progress(const model::TellProgress& progress) override;
  void close_connections(ReplicaId replica) override;
  void ask_busy() override;

 private:
  // How often a replica's connections were to be closed, and have been.
  struct Closing {
    std::uint32_t asked = 0;
    std::uint32_t by_local = 0;
    std::uint32_t by_other = 0;
  };
  enum class Side : std::uint8_t { Local, Other };

  void hear(model::Event event, Side side);
  void note_closed(ReplicaId replica, Side side);
  void begin_waiting(const model::Demand& demand);
  void end_waiting(RequestId request);
  void look_for_slots(AppId app);
  void send(Message message);
  void take_back(const model::Handover& handover);

  const Outside outside_;
  Local local_;
  std::mutex mutex_;
  bool has_other_ = false;  // guarded by mutex_, as all below
  Other other_;
  std::map<RequestId, AppId> waiting_;     // at the other one
  std::map<AppId, model::Route> routes_;   // while there is another one
  std::map<ReplicaId, Closing> closings_;  // that are not over, while there is another one
};

}  // namespace kelvin::takeover
