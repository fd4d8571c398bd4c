// queue_watch: what must hold of those who wait, after every step of control, told from its events and effects alone.
//
//   Control knows exactly those who wait: nobody is forgotten, nobody waits on after an end.
//   Whoever waits has something coming: a replica on its way, one that is ready and full, or as many as `max` allows
//   that are on their way out. Where nothing may be started everybody was refused. A request of low priority need not.
//   Where the traffic is split a request goes to the revision that its share fell on.
//   No replica is started for requests while enough slots for all of them are on their way.
//   Low priority starts nothing: a start or resume for waiting requests comes only while one of another priority waits.
//   Only those who wait are told what they wait for.
//   Keys get turns by weight: as long as two keys of an app wait, their turns over their weights differ by at most one
//   turn of each.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "core/control/world.h"
#include "model/event.h"

namespace kelvin::sim {

class QueueWatch {
 public:
  void check(const control::World& world, const model::Event& event, const model::Effects& effects);
  // Nobody has called this app who may start a replica.
  static void check_no_start_of(const model::Effects& effects, const std::string& app);

 private:
  // Turns of two keys since both have been waiting.
  struct Race {
    double one = 0;  // over the weight
    double other = 0;
  };
  // One app's waiting requests whose turns are compared: those that anybody's slot will do for.
  struct Line {
    std::map<KeyId, std::size_t> waiting;
    std::map<KeyId, std::uint32_t> weights;
    std::map<std::pair<KeyId, KeyId>, Race> races;
    bool is_mixed = false;  // lanes were used, so that turns cannot be told from outside
  };

  void take_in(const model::Event& event);
  void take_out(RequestId request);
  void stand(const model::Demand& demand);
  void on_handover(const control::World& world, const model::Handover& handover);
  void count_turn(const model::Demand& demand);
  void check_starts(const control::World& world, const model::Effects& effects) const;
  static void check_is_needed(const control::World& world, const model::Decision& decision,
                              std::uint32_t later);
  void check_all_coming(const control::World& world, const model::Effects& effects) const;
  static void check_coming(const control::World& world, AppId app);

  std::map<RequestId, model::Demand> waiting_;
  std::map<AppId, std::size_t> wanting_;            // those of other than low priority; none is 0
  std::map<RequestId, model::Demand> handed_over_;  // in the last step; they may come back
  std::set<RequestId> charged_;                     // have had their turn and came back
  std::map<AppId, Line> lines_;
};

}  // namespace kelvin::sim
