// story_test: plays everything around control on made-up time, so that a test reads as a story.
//
// The slot table is a real one in miniature: words open, close, fill and empty by the same rules,
// and outcomes are fed back before anything else happens. The cluster does nothing by itself: the
// test says when a replica moves. The gateway's reports of work are sent when AskBusy comes, or
// when the test asks for one.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/control/control.h"

namespace kelvin::control {

struct StoryOptions {
  std::uint32_t cpus = 2;
  Bytes memory = 8_GiB;
  std::uint32_t slots_max = 64;
  std::uint32_t gateway_loops = 1;  // of which the story plays the first
};

class Story {
 public:
  explicit Story(const StoryOptions& options = {}) : Story(options, /*is_recovered=*/true) {}
  Story(const StoryOptions& options, bool is_recovered)
      : world_(make_world(
            {.epoch = 1, .slots_max = options.slots_max, .gateway_loops = options.gateway_loops})) {
    post(model::NodeChanged{node(options)});
    if (is_recovered) post(model::RecoveryFinished{});
  }

  static model::Node node(const StoryOptions& options) {
    return {.id = {1},
            .name = "n1",
            .memory = options.memory,
            .pools = {{.kind = "cpu", .count = options.cpus}}};
  }

  // --- people ------------------------------------------------------------------------------------

  static model::AppSpec spec(std::string name) {
    model::AppSpec spec;
    spec.name = std::move(name);
    return spec;
  }
  std::shared_ptr<const model::Revision> revision(std::uint64_t app, std::uint32_t number,
                                                  model::AppSpec spec) {
    return std::make_shared<model::Revision>(model::Revision{
        .id = {app * 100 + number}, .app = {app}, .number = number, .spec = std::move(spec)});
  }
  void deploy(std::uint64_t app, model::AppSpec spec, std::uint32_t number = 1) {
    post(model::RevisionDeployed{revision(app, number, std::move(spec))});
  }
  void deploy(std::uint64_t app) { deploy(app, spec("app" + std::to_string(app))); }

  // --- the gateway -------------------------------------------------------------------------------

  void request(std::uint64_t id, std::uint64_t app = 1, std::uint64_t key = 0) {
    post(model::Demand{.request = {id}, .app = {app}, .key = {key}, .arrived = now});
  }
  // With `asks` filled in by the test: what it asks about its wait.
  void request(std::uint64_t id, model::Demand asks) {
    asks.request = {id};
    asks.app = {1};
    asks.arrived = now;
    post(asks);
  }
  // A request that takes a slot without asking control, as most do.
  bool take_slot(ReplicaId id) { return take(words_.at(slot_of(id)), 1'000); }
  // A request ends; `is_awaited`: others of its app wait.
  void give_back(ReplicaId id, bool is_awaited = false) {
    Word& word = words_.at(slot_of(id));
    ASSERT_GT(word.in_flight, 0u);
    note_busy(id, word);
    word.in_flight -= 1;
    word.last_used = now;
    if (word.is_closed && word.in_flight == 0) post(model::SlotsDrained{id});
    if (is_awaited) post(model::SlotFree{id});
  }
  // What AskBusy asks for.
  void report_busy(std::uint32_t answered = 1) {
    for (auto& [slot, word] : words_) note_busy(word.replica, word);
    model::BusyMeasured report{.loop = 0, .complete_up_to = now};
    for (auto& [id, entry] : busy_) {
      entry.replica = id;
      entry.answered = entry.spans.empty() ? 0 : answered;
      report.entries.push_back(entry);
    }
    busy_.clear();
    post(report);
  }
  void connections_closed(ReplicaId id) { post(model::ConnectionsClosed{id}); }

  // --- the cluster -------------------------------------------------------------------------------

  void moved(ReplicaId id, model::State to) {
    post(model::ReplicaMoved{.replica = id, .to = to, .port = 9000, .pid = 77});
  }
  void loads(ReplicaId id) {
    moved(id, model::State::Starting);
    moved(id, model::State::Loading);
  }
  void becomes_ready(ReplicaId id, Duration start = 0s) {
    loads(id);
    pass(start);
    moved(id, model::State::Ready);
  }
  void gone(ReplicaId id, model::Exit exit) {
    post(model::ReplicaMoved{.replica = id, .to = model::State::Gone, .exit = exit});
  }
  // Every stop that was ordered since the last call is carried out.
  void carry_out_stops() {
    const std::vector<model::StopReplica> orders = std::exchange(stopped, {});
    for (const model::StopReplica& order : orders) gone(order.replica, {.cause = order.cause});
  }
  // Carries a park out to its end.
  void finish_parking(ReplicaId id) {
    connections_closed(id);
    moved(id, model::State::Parked);
  }

  // --- time --------------------------------------------------------------------------------------

  void pass(Duration time) {
    const Instant end = now + time;
    for (int ticks = 0; next_deadline(*world_) <= end; ++ticks) {
      ASSERT_LT(ticks, 100'000) << "control asks for ticks without end";
      now = std::max(now, next_deadline(*world_));
      post(model::Tick{});
    }
    now = end;
  }
  bool is_at_rest() const { return next_deadline(*world_) == Instant::never(); }

  void post(const model::Event& event) {
    std::deque<model::Event> outcomes{event};
    std::vector<model::Event> answers;
    while (!outcomes.empty()) {
      const model::Event next = outcomes.front();
      outcomes.pop_front();
      for (const model::Effect& effect : step(*world_, next, now)) {
        std::visit([&](const auto& e) { carry_out(e, outcomes); }, effect);
      }
    }
    if (std::exchange(is_busy_asked_, false)) report_busy();
  }

  // --- looking -----------------------------------------------------------------------------------

  model::AppView app(std::uint64_t id = 1) const { return *view_app(*world_, {id}); }
  std::optional<model::RequestView> waiting_request(std::uint64_t id) const {
    return view_request(*world_, {id});
  }
  std::vector<model::ReplicaView> replicas(std::uint64_t app = 0) const {
    return view_replicas(*world_, {app});
  }
  model::ReplicaView replica(ReplicaId id) const {
    for (const model::ReplicaView& view : replicas()) {
      if (view.id == id) return view;
    }
    return {};
  }
  model::State state(ReplicaId id) const {
    const model::ReplicaView view = replica(id);
    return view.id ? view.state : model::State::Gone;
  }
  std::size_t count(model::State state, std::uint64_t app = 0) const {
    std::size_t n = 0;
    for (const model::ReplicaView& view : replicas(app)) n += view.state == state;
    return n;
  }
  ReplicaId last_started() const { return started.back().replica; }
  const model::Handover* handover_of(std::uint64_t request) const {
    for (const model::Handover& handover : handovers) {
      if (handover.request.value == request) return &handover;
    }
    return nullptr;
  }
  const model::RefuseRequest* refusal_of(std::uint64_t request) const {
    for (const model::RefuseRequest& refusal : refusals) {
      if (refusal.request.value == request) return &refusal;
    }
    return nullptr;
  }
  std::string handed_over() const {
    std::string order;
    for (const model::Handover& handover : handovers)
      order += std::to_string(handover.request.value) + " ";
    return order;
  }
  bool has_decided(std::string_view verb, std::string_view part = "") const {
    for (const model::Decision& decision : decisions) {
      if (decision.verb == verb && decision.sentence.find(part) != std::string::npos) return true;
    }
    return false;
  }
  std::string last_sentence(std::string_view verb) const {
    std::string sentence;
    for (const model::Decision& decision : decisions) {
      if (decision.verb == verb) sentence = decision.sentence;
    }
    return sentence;
  }
  std::uint32_t in_flight(ReplicaId id) const { return words_.at(slot_of(id)).in_flight; }
  // False before its first OpenSlots, and when its slot is another's.
  bool has_word(ReplicaId id) const {
    for (const auto& [slot, word] : words_) {
      if (word.replica == id) return true;
    }
    return false;
  }
  bool is_open(ReplicaId id) const { return !words_.at(slot_of(id)).is_closed; }
  bool is_routed(ReplicaId id, std::uint64_t app = 1) const {
    const auto route = routes.find({app});
    if (route == routes.end()) return false;
    for (const model::RouteReplica& replica : route->second.replicas) {
      if (replica.id == id) return true;
    }
    return false;
  }

  bool is_spare(ReplicaId id, std::uint64_t app = 1) const {
    for (const model::RouteReplica& replica : routes.at({app}).replicas) {
      if (replica.id == id) return replica.is_spare;
    }
    return false;
  }

  // A slot word as an earlier platform process left it.
  struct KeptWord {
    ReplicaId replica;
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;
    std::uint32_t in_flight = 0;
    bool is_closed = false;
  };
  void had_word(const KeptWord& kept) {
    words_[kept.slot] = {.replica = kept.replica,
                         .is_closed = kept.is_closed,
                         .generation = kept.generation,
                         .in_flight = kept.in_flight,
                         .busy_from = now};
  }
  // What ran in that process has ended with it.
  void lose_work(ReplicaId id) { words_.at(slot_of(id)).in_flight = 0; }
  Handed hand_over() const { return control::hand_over(*world_); }

  // The next Handover finds its slot taken by somebody who was faster.
  void race_next_handover() { is_next_handover_raced_ = true; }

  Instant now{1'000'000'000'000};
  std::vector<model::StartReplica> started;
  std::vector<ReplicaId> park_ordered;
  std::vector<ReplicaId> resumed;
  std::vector<model::StopReplica> stopped;
  std::vector<ReplicaId> connections_to_close;
  std::vector<model::Handover> handovers;  // with a slot taken
  std::vector<model::RefuseRequest> refusals;
  std::vector<model::TellProgress> told;
  std::vector<model::Usage> usage;
  std::vector<model::Decision> decisions;
  std::map<AppId, model::Route> routes;
  std::map<AppId, std::vector<model::ScheduleRule>> followed;
  std::map<AppId, std::optional<model::Rollout>> kept_rollouts;
  std::size_t busy_asked = 0;
  std::size_t closes_tried = 0;

 private:
  struct Word {
    ReplicaId replica;
    bool is_closed = true;
    std::uint32_t generation = 0;
    std::uint32_t in_flight = 0;
    Instant last_used;
    Instant busy_from;
  };

  std::uint32_t slot_of(ReplicaId id) const {
    for (const auto& [slot, word] : words_) {
      if (word.replica == id) return slot;
    }
    ADD_FAILURE() << "no slot word of replica " << id.value;
    return 0;
  }

  bool take(Word& word, std::uint32_t limit) {
    if (word.is_closed || word.in_flight >= limit) return false;
    if (word.in_flight == 0) word.busy_from = now;
    word.in_flight += 1;
    return true;
  }

  void note_busy(ReplicaId id, Word& word) {
    if (word.in_flight == 0 || now <= word.busy_from) return;
    model::BusyEntry& entry = busy_[id];
    entry.spans.push_back({word.busy_from, now});
    entry.request_time += (now - word.busy_from) * word.in_flight;
    word.busy_from = now;
  }

  void carry_out(const model::StartReplica& e, std::deque<model::Event>&) { started.push_back(e); }
  void carry_out(const model::ParkReplica& e, std::deque<model::Event>&) {
    EXPECT_EQ(in_flight(e.replica), 0u) << "parked with work";
    park_ordered.push_back(e.replica);
  }
  void carry_out(const model::ResumeReplica& e, std::deque<model::Event>&) {
    resumed.push_back(e.replica);
  }
  void carry_out(const model::StopReplica& e, std::deque<model::Event>&) {
    const bool is_idle = !has_word(e.replica) || in_flight(e.replica) == 0;
    EXPECT_TRUE(is_idle || e.cause == model::ExitCause::Unhealthy) << "stopped with work";
    stopped.push_back(e);
  }
  void carry_out(const model::OpenSlots& e, std::deque<model::Event>&) {
    words_[e.slot] = {.replica = e.replica, .is_closed = false, .generation = e.generation};
  }
  void carry_out(const model::CloseSlots& e, std::deque<model::Event>& outcomes) {
    Word& word = words_.at(e.slot);
    ASSERT_EQ(word.generation, e.generation);
    closes_tried += 1;
    const bool is_idle = word.in_flight == 0 && word.last_used <= e.idle_since;
    word.is_closed = word.is_closed || e.purpose == model::ClosePurpose::Stop || is_idle;
    outcomes.push_back(model::SlotsClosed{.replica = e.replica,
                                          .is_closed = word.is_closed,
                                          .in_flight = word.in_flight,
                                          .last_used = word.last_used});
  }
  void carry_out(const model::RouteChanged& e, std::deque<model::Event>&) {
    routes[e.route.app] = e.route;
  }
  void carry_out(const model::CloseConnections& e, std::deque<model::Event>&) {
    connections_to_close.push_back(e.replica);
  }
  void carry_out(const model::Handover& e, std::deque<model::Event>& outcomes) {
    Word& word = words_.at(e.replica.slot);
    ASSERT_EQ(word.generation, e.replica.generation);
    const bool is_raced = std::exchange(is_next_handover_raced_, false);
    if (!is_raced && take(word, e.replica.slots)) {
      handovers.push_back(e);
      return;
    }
    outcomes.push_back(model::HandoverRefused{.request = e.request, .replica = e.replica.id});
  }
  void carry_out(const model::RefuseRequest& e, std::deque<model::Event>&) {
    refusals.push_back(e);
  }
  void carry_out(const model::TellProgress& e, std::deque<model::Event>&) { told.push_back(e); }
  void carry_out(const model::AskBusy&, std::deque<model::Event>&) {
    busy_asked += 1;
    is_busy_asked_ = true;
  }
  void carry_out(const model::KeepRollout& e, std::deque<model::Event>&) {
    kept_rollouts[e.app] = e.rollout;
  }
  void carry_out(const model::FollowSchedule& e, std::deque<model::Event>&) {
    followed[e.app] = e.rules;
  }
  void carry_out(const model::AppendUsage& e, std::deque<model::Event>&) {
    usage.insert(usage.end(), e.batch.rows.begin(), e.batch.rows.end());
  }
  void carry_out(const model::RecordDecision& e, std::deque<model::Event>&) {
    decisions.push_back(e.decision);
  }

  WorldPtr world_;
  std::map<std::uint32_t, Word> words_;
  std::map<ReplicaId, model::BusyEntry> busy_;
  bool is_next_handover_raced_ = false;
  bool is_busy_asked_ = false;
};

}  // namespace kelvin::control
