#include "takeover/planes.h"

#include <algorithm>
#include <atomic>
#include <type_traits>
#include <utility>

namespace kelvin::takeover {

void Planes::join(Other other) {
  const std::scoped_lock lock(mutex_);
  other_ = std::move(other);
  has_other_ = true;
}

void Planes::send(Message message) {
  const std::scoped_lock lock(mutex_);
  if (has_other_) other_.send(std::move(message));
}

// --- to control ------------------------------------------------------------------------------------------------------

void Planes::hear_local(model::Event event) { hear(std::move(event), Side::Local); }

bool Planes::hear_other(Message message) {
  bool is_event = true;
  std::visit(
      [&](auto& said) {
        using Said = std::remove_cvref_t<decltype(said)>;
        if constexpr (std::is_same_v<Said, model::Demand>) {
          said.loop += local_.loops;
          begin_waiting(said);
          hear(said, Side::Other);
          look_for_slots(said.app);
        } else if constexpr (std::is_same_v<Said, model::BusyMeasured> ||
                             std::is_same_v<Said, model::ProgressAsked>) {
          said.loop += local_.loops;
          hear(std::move(said), Side::Other);
        } else if constexpr (std::is_same_v<Said, model::RequestLeft>) {
          end_waiting(said.request);
          hear(said, Side::Other);
        } else if constexpr (std::is_same_v<Said, model::SlotFree> ||
                             std::is_same_v<Said, model::HandoverRefused> ||
                             std::is_same_v<Said, model::ReplicaSuspected> ||
                             std::is_same_v<Said, model::ConnectionsClosed> ||
                             std::is_same_v<Said, model::SlotsDrained>) {
          hear(std::move(said), Side::Other);
        } else {
          is_event = false;
        }
      },
      message);
  return is_event;
}

void Planes::hear(model::Event event, Side side) {
  if (const auto* closed = std::get_if<model::ConnectionsClosed>(&event))
    return note_closed(closed->replica, side);
  outside_.to_control(std::move(event));
}

void Planes::note_closed(ReplicaId replica, Side side) {
  {
    const std::scoped_lock lock(mutex_);
    const auto found = closings_.find(replica);
    if (found != closings_.end()) {
      Closing& closing = found->second;
      const std::uint32_t before = std::min(closing.by_local, closing.by_other);
      std::uint32_t& answers = side == Side::Local ? closing.by_local : closing.by_other;
      answers = std::min(answers + 1, closing.asked);
      const std::uint32_t after = std::min(closing.by_local, closing.by_other);
      if (after == closing.asked) closings_.erase(found);
      if (after == before) return;
    } else if (side == Side::Other) {
      return;  // nobody asked
    }
  }
  outside_.to_control(model::ConnectionsClosed{replica});
}

// Loops of this process tell control of each slot from now on; one that was given back just before is seen by
// look_for_slots.
void Planes::begin_waiting(const model::Demand& demand) {
  const std::scoped_lock lock(mutex_);
  waiting_[demand.request] = demand.app;
  local_.tell_every_slot(true);
}

void Planes::end_waiting(RequestId request) {
  const std::scoped_lock lock(mutex_);
  if (waiting_.erase(request) > 0 && waiting_.empty()) local_.tell_every_slot(false);
}

void Planes::look_for_slots(AppId app) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  std::vector<ReplicaId> with_room;
  {
    const std::scoped_lock lock(mutex_);
    const auto route = routes_.find(app);
    if (route == routes_.end()) return;
    for (const model::RouteReplica& replica : route->second.replicas) {
      const os::SlotWord word = outside_.slots->read(replica.slot);
      const bool has_room = !word.is_closed && word.generation == replica.generation &&
                            word.in_flight < replica.slots;
      if (has_room) with_room.push_back(replica.id);
    }
  }
  for (const ReplicaId replica : with_room) outside_.to_control(model::SlotFree{replica});
}

void Planes::leave() {
  std::map<RequestId, AppId> left;
  std::map<ReplicaId, Closing> closings;
  std::uint32_t loops = 0;
  {
    const std::scoped_lock lock(mutex_);
    if (!std::exchange(has_other_, false)) return;
    loops = other_.loops;
    other_.send = nullptr;
    left.swap(waiting_);
    closings.swap(closings_);
    routes_.clear();
    local_.tell_every_slot(false);
    // From here on an answer of the local one is the whole answer.
  }
  // A Handover that control gives out from here on is taken back, so that this is the last word about that side.
  outside_.slots->clear(os::other_side(outside_.slots->side()));
  for (const auto& [request, app] : left) outside_.to_control(model::RequestLeft{request});
  for (const auto& [replica, closing] : closings) {
    const std::uint32_t told = std::min(closing.by_local, closing.by_other);
    for (std::uint32_t i = told; i < closing.by_local; ++i)
      outside_.to_control(model::ConnectionsClosed{replica});
  }
  outside_.to_control(model::DataPlaneLeft{.first_loop = local_.loops, .loops = loops});
}

// --- from control ----------------------------------------------------------------------------------------------------

void Planes::change_route(const model::Route& route) {
  local_.plane->change_route(route);
  const std::scoped_lock lock(mutex_);
  if (!has_other_) return;
  routes_[route.app] = route;
  if (route.is_gone) routes_.erase(route.app);
  other_.send(model::RouteChanged{route});
}

void Planes::change_keys(std::shared_ptr<const std::vector<model::Key>> keys) {
  send(KeysChanged{*keys});
  local_.plane->change_keys(std::move(keys));
}

void Planes::hand_over(const model::Handover& handover) {
  if (handover.loop < local_.loops) return local_.plane->hand_over(handover);
  end_waiting(handover.request);
  model::Handover there = handover;
  there.loop -= local_.loops;
  {
    const std::scoped_lock lock(mutex_);
    if (has_other_) return other_.send(std::move(there));
  }
  take_back(handover);
}

// Its client has left with the process that held it.
void Planes::take_back(const model::Handover& handover) {
  const model::RouteReplica& replica = handover.replica;
  const auto given = outside_.slots->of_other_side().give_back({replica.slot, replica.generation},
                                                               outside_.clock->now());
  outside_.to_control(
      model::HandoverRefused{handover.request, replica.id, model::HandoverProblem::ClientLeft});
  if (given.was_last_of_closed) outside_.to_control(model::SlotsDrained{replica.id});
}

void Planes::refuse(const model::RefuseRequest& refusal) {
  if (refusal.loop < local_.loops) return local_.plane->refuse(refusal);
  end_waiting(refusal.request);
  model::RefuseRequest there = refusal;
  there.loop -= local_.loops;
  send(std::move(there));
}

void Planes::tell_progress(const model::TellProgress& progress) {
  if (progress.loop < local_.loops) return local_.plane->tell_progress(progress);
  model::TellProgress there = progress;
  there.loop -= local_.loops;
  send(std::move(there));
}

void Planes::close_connections(ReplicaId replica) {
  {
    const std::scoped_lock lock(mutex_);
    if (has_other_) {
      closings_[replica].asked += 1;
      other_.send(model::CloseConnections{replica});
    }
  }
  local_.plane->close_connections(replica);
}

void Planes::ask_busy() {
  send(model::AskBusy{});
  local_.plane->ask_busy();
}

}  // namespace kelvin::takeover
