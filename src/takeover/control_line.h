// control_line: the gateway's end of the way to control, whichever process control is in.
//
// A gateway keeps running while control moves from one process to another. Meanwhile its events are held, and are given
// on, in a sensible order, when the line is connected again.
#pragma once

#include <functional>
#include <mutex>
#include <vector>

#include "ports/control.h"

namespace kelvin::takeover {

// What was held, as control should learn it: first who still waits, by arrival; then the rest as it came. A request that
// has left again is not mentioned, nor is ConnectionsClosed, which answers a question that nobody remembers.
[[nodiscard]] std::vector<model::Event> arranged(std::vector<model::Event> held);

// Starts out holding. The views of control are not for the gateway and are empty here.
class ControlLine final : public ports::Control {
 public:
  using To = std::function<void(model::Event)>;

  // Gives on what was held, then every event as it comes; `to` must not block.
  void connect(To to);
  // From the return on, nothing reaches the earlier `to`.
  void hold();
  // Straight to control, in front of what is held: what an earlier control had not looked at yet.
  void put_in_front(std::vector<model::Event> events);

  void post(model::Event event) override;
  std::vector<model::AppView> apps() override { return {}; }
  std::optional<model::AppView> find_app(AppId /*app*/) override { return std::nullopt; }
  std::optional<model::AppView> find_named_app(const model::AppName& /*name*/) override {
    return std::nullopt;
  }
  std::optional<model::RequestView> find_request(RequestId /*request*/) override {
    return std::nullopt;
  }
  std::vector<model::ReplicaView> replicas(AppId /*app*/) override { return {}; }
  std::vector<model::Revision> revisions(AppId /*app*/) override { return {}; }
  std::vector<model::Decision> decisions(const DecisionFilter& /*filter*/) override { return {}; }

 private:
  std::mutex mutex_;
  To to_;                           // empty while holding; guarded by mutex_
  std::vector<model::Event> held_;  // guarded by mutex_
};

}  // namespace kelvin::takeover
