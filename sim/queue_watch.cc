#include "sim/queue_watch.h"

#include <algorithm>
#include <variant>

#include "model/ids.h"
#include "sim/ground.h"

namespace kelvin::sim {

namespace {

using model::State;

bool is_low(const model::Demand& demand) { return demand.priority == model::Priority::Low; }

// Outcomes of a Handover come before anything else.
bool is_outcome(const model::Event& event) {
  return std::holds_alternative<model::HandoverRefused>(event) ||
         std::holds_alternative<model::SlotsClosed>(event);
}

}  // namespace

void QueueWatch::check(const control::World& world, const model::Event& event,
                       const model::Effects& effects) {
  take_in(event);
  check_starts(effects);
  for (const model::Effect& effect : effects) {
    if (const auto* handover = std::get_if<model::Handover>(&effect))
      on_handover(handover->request);
    if (const auto* refusal = std::get_if<model::RefuseRequest>(&effect))
      take_out(refusal->request);
    const auto* told = std::get_if<model::TellProgress>(&effect);
    if (told != nullptr && !waiting_.contains(told->request))
      violate(model::to_text(told->request) + " is told what it waits for, and does not wait");
  }
  // A step that changed nothing cannot have taken away what is coming.
  if (effects.empty()) return;
  for (const auto& [app, count] : wanting_) {
    if (count > 0) check_coming(world, app);
  }
}

void QueueWatch::check_no_start_of(const model::Effects& effects, const std::string& app) {
  for (const model::Effect& effect : effects) {
    const auto* start = std::get_if<model::StartReplica>(&effect);
    if (start != nullptr && start->revision->spec.name == app)
      violate(app + " is started although only clients of low priority have called it");
  }
}

void QueueWatch::take_in(const model::Event& event) {
  if (!is_outcome(event)) handed_over_.clear();
  if (const auto* demand = std::get_if<model::Demand>(&event)) stand(*demand);
  if (const auto* left = std::get_if<model::RequestLeft>(&event)) take_out(left->request);
  if (const auto* refused = std::get_if<model::HandoverRefused>(&event)) {
    const auto found = handed_over_.find(refused->request);
    if (found == handed_over_.end()) return;
    if (refused->problem != model::HandoverProblem::NoSlot) return;
    charged_.insert(refused->request);
    stand(found->second);
  }
  if (const auto* split = std::get_if<model::TrafficChanged>(&event))
    lines_[split->app].is_mixed = true;
}

void QueueWatch::stand(const model::Demand& demand) {
  if (!waiting_.emplace(demand.request, demand).second) return;
  if (!is_low(demand)) ++wanting_[demand.app];
  Line& line = lines_[demand.app];
  // Which lane it stands in depends on the state of its replica, which may change.
  if (demand.wanted_replica || demand.revision) line.is_mixed = true;
  if (is_low(demand)) return;
  line.weights[demand.key] = demand.key_weight;
  ++line.waiting[demand.key];
}

void QueueWatch::take_out(RequestId request) {
  const auto found = waiting_.find(request);
  if (found == waiting_.end()) return;
  const model::Demand demand = found->second;
  waiting_.erase(found);
  charged_.erase(request);
  if (is_low(demand)) return;
  --wanting_[demand.app];
  Line& line = lines_[demand.app];
  if (--line.waiting[demand.key] > 0) return;
  line.waiting.erase(demand.key);
  std::erase_if(line.races, [&](const auto& race) {
    return race.first.first == demand.key || race.first.second == demand.key;
  });
}

void QueueWatch::on_handover(RequestId request) {
  const auto found = waiting_.find(request);
  if (found == waiting_.end())
    violate(model::to_text(request) + " is handed over but did not wait");
  const model::Demand demand = found->second;
  handed_over_.emplace(request, demand);
  Line& line = lines_[demand.app];
  const bool has_had_its_turn = charged_.contains(request);
  if (!is_low(demand) && !line.is_mixed && !has_had_its_turn) {
    for (const auto& [other, count] : line.waiting) {
      if (other == demand.key) continue;
      const bool is_first = demand.key < other;
      const auto keys = is_first ? std::pair(demand.key, other) : std::pair(other, demand.key);
      Race& race = line.races[keys];
      const double own = 1.0 / line.weights[demand.key];
      const double theirs = 1.0 / line.weights[other];
      (is_first ? race.one : race.other) += own;
      if (std::abs(race.one - race.other) > own + theirs + 0.001) {
        violate("key " + std::to_string(demand.key.value) +
                " has had more turns than its weight over key " + std::to_string(other.value));
      }
    }
  }
  take_out(request);
}

void QueueWatch::check_starts(const model::Effects& effects) const {
  for (const model::Effect& effect : effects) {
    const auto* record = std::get_if<model::RecordDecision>(&effect);
    if (record == nullptr) continue;
    const model::Decision& decision = record->decision;
    const bool is_start =
        decision.verb == "start" || decision.verb == "resume" || decision.verb == "wake";
    const bool is_for_requests = decision.sentence.find(" waiting, ") != std::string::npos ||
                                 decision.sentence.find(" asks for it") != std::string::npos;
    if (!is_start || !is_for_requests) continue;
    const auto wanting = wanting_.find(decision.app);
    if (wanting == wanting_.end() || wanting->second == 0)
      violate("low priority alone has caused: " + decision.sentence);
  }
}

void QueueWatch::check_coming(const control::World& world, AppId app) const {
  const auto view = control::view_app(world, app);
  if (!view || view->replicas_coming > 0) return;
  const std::vector<model::ReplicaView> replicas = control::view_replicas(world, app);
  const bool is_coming =
      std::any_of(replicas.begin(), replicas.end(), [](const model::ReplicaView& replica) {
        return replica.state == State::Ready || replica.state == State::Parking ||
               replica.state == State::Draining || replica.state == State::Stopping;
      });
  if (!is_coming)
    violate("requests of " + view->revision.spec.name + " wait and nothing is on its way");
}

}  // namespace kelvin::sim
