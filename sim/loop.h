// loop: one simulated gateway loop, with the protocol of the real one: admit, pick, take, raise `waiting`, try once
// more, post Demand; give back, look at `waiting`, post SlotFree.
//
// Each of these is a step of its own, so that other loops and the control thread act in between. Bytes are not
// simulated; a request is sent, served for its time, and its reply read.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/control/world.h"
#include "core/route/route.h"
#include "model/effect.h"
#include "model/event.h"
#include "sim/actor.h"
#include "sim/books.h"
#include "sim/clients.h"
#include "sim/machine.h"

namespace kelvin::sim {

// What all loops of one platform process share.
struct Shared {
  std::map<AppId, std::uint32_t> waiting;  // atomics in the real gateway
};

class Loop {
 public:
  struct Outside {
    Ground& ground;
    Machine& machine;
    Books& books;
    Clients& clients;
    Shared& shared;
    const Scenario& scenario;
    std::function<void(model::Event)> post;
  };

  Loop(Outside outside, std::uint32_t index, std::uint64_t epoch);
  // The process dies: every request in it ends broken.
  void crash();

  void arrive(Client& client);
  void leave(Client& client);
  // RouteChanged, Handover, RefuseRequest, CloseConnections, AskBusy. `done` is called when it has been done.
  void deliver(model::Effect message, std::function<void()> done);
  // A request that waits for seconds beside a free slot, or unknown to control, has been forgotten.
  void check_nobody_is_forgotten(const control::World& world);

  [[nodiscard]] bool has_idle_connection(ReplicaId replica) const;
  [[nodiscard]] std::size_t talks() const { return talks_.size(); }

 private:
  enum class Where { Trying, Waiting, Running };
  // A request inside this loop.
  struct Talk {
    Client* client = nullptr;
    RequestId id;
    AppId app;
    Where where = Where::Trying;
    ReplicaId wanted;        // by its client; 0: any
    RevisionId revision;     // drawn where the traffic is split
    bool is_raised = false;  // counted in Shared::waiting
    std::vector<model::RouteReplica> candidates;
    route::Order order;
    model::RouteReplica replica;  // whose slot it holds
    Instant sent;
    std::uint32_t connects_failed = 0;
    Instant began;
    Duration lost_before{};                // see Ground::lost
    std::optional<Instant> room_since;     // a replica of its app has had room while it waits
    std::optional<Instant> unknown_since;  // control does not know that it waits
  };
  // Work of this loop on one replica, since the last report.
  struct Busy {
    std::uint32_t running = 0;
    std::uint32_t running_low = 0;  // of them, of low priority
    Instant since;                  // when `running` last left 0
    Instant counted_to;             // request_time is complete up to here
    std::vector<Span> spans;
    std::uint32_t most = 0;
    Duration request_time{};
    Duration low_time{};
    std::uint32_t answered = 0;
    std::uint32_t failed = 0;
  };

  // How requests of an app were split since its shares were last changed.
  struct Draws {
    std::vector<model::RevisionShare> shares;
    std::map<RevisionId, std::uint64_t> drawn;
    std::uint64_t all = 0;
    std::map<std::uint64_t, RevisionId> by_affinity;
  };

  void admit_client(Client& client);
  void check_draw(const Talk& talk, const model::Route& route);
  void look(RequestId id);
  void try_next(RequestId id, std::size_t nth);
  void raise(RequestId id);
  void demand(RequestId id);
  void send(RequestId id);
  void finish(RequestId id, bool is_broken);
  void time_out(RequestId id);
  void end(RequestId id, End end, const std::string& code);
  void give_back(model::RouteReplica replica, AppId app, std::function<void()> then);

  void on_route(const model::Route& route);
  void on_handover(const model::Handover& handover);
  void on_refusal(const model::RefuseRequest& refusal);
  void on_close(ReplicaId replica);
  void lower(Talk& talk);
  void check_wait(const Talk& talk) const;
  [[nodiscard]] bool has_room(const Talk& talk) const;
  [[nodiscard]] bool waits_for_parked(const Talk& talk) const;

  void begin_busy(const Talk& talk);
  void end_busy(const Talk& talk, bool is_answered);
  bool answers_badly(const Talk& talk);
  void count(Busy& busy);
  void report_busy();
  void schedule_report();

  Talk* find(RequestId id);
  const model::Route* find_route(std::string_view name) const;

  Outside outside_;
  Ground& ground_;
  Actor actor_;
  std::uint32_t index_;
  std::uint64_t epoch_;
  std::uint64_t requests_made_ = 0;
  std::map<AppId, model::Route> routes_;
  std::map<std::string, AppId, std::less<>> names_;
  std::map<AppId, Draws> draws_;
  std::vector<Client*> arriving_;  // connected, not read yet
  std::map<RequestId, Talk> talks_;
  std::map<ReplicaId, Busy> busy_;
  std::map<ReplicaId, Instant> idle_connections_;  // until when
  bool is_report_due_ = false;
};

}  // namespace kelvin::sim
