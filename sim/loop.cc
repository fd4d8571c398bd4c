#include "sim/loop.h"

#include <algorithm>
#include <cmath>

#include "core/admit/admit.h"
#include "model/ids.h"

namespace kelvin::sim {

namespace {

constexpr Duration kConnectionLife = 2s;
constexpr Duration kReportEvery = 1s;
constexpr std::uint32_t kConnectsMax = 3;
// One in so many would like to know what it waits for.
constexpr std::uint64_t kAsksForProgress = 8;

os::SlotTable::Key key_of(const model::RouteReplica& replica) {
  return {replica.slot, replica.generation};
}

}  // namespace

Loop::Loop(Outside outside, std::uint32_t index, std::uint64_t epoch)
    : outside_(std::move(outside)),
      ground_(outside_.ground),
      actor_(ground_),
      index_(index),
      epoch_(epoch) {}

void Loop::crash() {
  actor_.stop();
  for (auto& [id, talk] : talks_) {
    if (talk.where == Where::Running) {
      outside_.books.truth(talk.replica.id).served.push_back({talk.sent, ground_.now()});
    }
    if (talk.client->end == End::None)
      outside_.clients.finish(*talk.client, End::Broken, "platform_crashed");
  }
  for (Client* client : arriving_) {
    if (client->end == End::None) outside_.clients.finish(*client, End::Broken, "platform_crashed");
  }
  arriving_.clear();
  talks_.clear();
}

Loop::Talk* Loop::find(RequestId id) {
  const auto it = talks_.find(id);
  return it == talks_.end() ? nullptr : &it->second;
}

const model::Route* Loop::find_route(std::string_view name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : &routes_.at(found->second);
}

// --- the way in ---

void Loop::arrive(Client& client) {
  arriving_.push_back(&client);
  actor_.soon([this, &client] {
    std::erase(arriving_, &client);
    admit_client(client);
  });
}

void Loop::admit_client(Client& client) {
  if (client.end != End::None) return;
  const std::string& name = outside_.scenario.apps[client.app].spec.name;
  admit::Question question{.name = name, .route = find_route(name), .now = ground_.now()};
  if (question.route != nullptr) question.waiting = outside_.shared.waiting[question.route->app];
  const admit::Answer answer = admit::admit(question);
  if (answer.verdict == admit::Verdict::Refuse) {
    outside_.clients.finish(client, End::Refused, answer.refusal.code);
    return;
  }
  const RequestId id = model::make_request_id(epoch_, index_, ++requests_made_);
  Talk& talk = talks_.emplace(id, Talk{.client = &client, .id = id, .app = question.route->app})
                   .first->second;
  talk.began = ground_.now();
  if (client.wants_last) talk.wanted = outside_.clients.last_of(client.app);
  talk.lost_before = ground_.lost_before_now();
  talk.revision = route::draw_revision(question.route->shares, client.affinity, ground_.random);
  check_draw(talk, *question.route);
  ground_.trace([&] {
    return "request " + std::to_string(client.number) + " is " + model::to_text(id) + " for " +
           name;
  });
  if (answer.verdict == admit::Verdict::Wait || waits_for_parked(talk)) {
    actor_.next([this, id] { raise(id); });
  } else {
    actor_.next([this, id] { look(id); });
  }
}

// Who has an affinity stays with its revision; the others are split in proportion, as far as chance allows: eight
// deviations are one in 10^15.
void Loop::check_draw(const Talk& talk, const model::Route& route) {
  if (route.shares.empty()) return;
  Draws& draws = draws_[talk.app];
  if (draws.shares != route.shares) draws = {.shares = route.shares};
  if (talk.client->affinity) {
    const auto [first, is_first] = draws.by_affinity.emplace(*talk.client->affinity, talk.revision);
    if (first->second != talk.revision)
      violate(Checker::Routes, "an affinity of " + route.name + " falls on two revisions");
    return;
  }
  ++draws.all;
  ++draws.drawn[talk.revision];
  const auto all = static_cast<double>(draws.all);
  for (const model::RevisionShare& share : draws.shares) {
    const double part = share.percent / 100.0;
    const auto drawn = static_cast<double>(draws.drawn[share.revision]);
    if (std::abs(drawn - all * part) > 8 * std::sqrt(all * part * (1 - part)) + 8) {
      violate(Checker::Routes, "revision-id " + std::to_string(share.revision.value) + " of " +
                                   route.name + " has had " +
                                   std::to_string(draws.drawn[share.revision]) + " of " +
                                   std::to_string(draws.all) + " requests instead of " +
                                   std::to_string(share.percent) + " %");
    }
  }
}

void Loop::look(RequestId id) {
  Talk* talk = find(id);
  if (talk == nullptr) return;
  const auto route = routes_.find(talk->app);
  if (route == routes_.end()) {
    end(id, End::Refused, "app_not_found");
    return;
  }
  talk->candidates = route->second.replicas;
  std::vector<route::ReplicaLoad> loads;
  for (const model::RouteReplica& replica : talk->candidates) {
    const os::SlotWord word = outside_.machine.slots().read(replica.slot);
    loads.push_back({.in_flight = word.in_flight,
                     .slots = replica.slots,
                     .is_open = !word.is_closed && word.generation == replica.generation,
                     .id = replica.id,
                     .revision = replica.revision,
                     .is_spare = replica.is_spare});
  }
  const route::Wish wish{
      .affinity = talk->client->affinity, .wanted = talk->wanted, .revision = talk->revision};
  talk->order = route::pick(loads, wish, ground_.random);
  actor_.next([this, id] { try_next(id, 0); });
}

void Loop::try_next(RequestId id, std::size_t nth) {
  Talk* talk = find(id);
  if (talk == nullptr) return;
  if (nth == talk->order.size()) {
    actor_.next([this, id, is_raised = talk->is_raised] { is_raised ? demand(id) : raise(id); });
    return;
  }
  const model::RouteReplica& replica = talk->candidates[talk->order[nth]];
  if (!outside_.machine.slots().try_take(key_of(replica), replica.slots)) {
    actor_.next([this, id, nth] { try_next(id, nth + 1); });
    return;
  }
  if (talk->revision && replica.revision != talk->revision)
    violate(Checker::Routes,
            model::to_text(id) + " goes to another revision than its share fell on");
  talk->replica = replica;
  lower(*talk);
  actor_.next([this, id] { send(id); });
}

void Loop::raise(RequestId id) {
  Talk* talk = find(id);
  if (talk == nullptr) return;
  const auto route = routes_.find(talk->app);
  std::uint32_t& waiting = outside_.shared.waiting[talk->app];
  const admit::Question question{.route = route == routes_.end() ? nullptr : &route->second,
                                 .waiting = waiting,
                                 .found_no_slot = true};
  const admit::Answer answer = admit::admit(question);
  if (answer.verdict == admit::Verdict::Refuse) {
    end(id, End::Refused, answer.refusal.code);
    return;
  }
  // Nor does who waits for a parked replica: any other would do for it then.
  const bool are_others_waiting = waiting > 0 || waits_for_parked(*talk);
  ++waiting;
  talk->is_raised = true;
  // Behind others it does not try again: that would be jumping the queue.
  actor_.next([this, id, are_others_waiting] { are_others_waiting ? demand(id) : look(id); });
}

void Loop::demand(RequestId id) {
  Talk* talk = find(id);
  if (talk == nullptr) return;
  talk->where = Where::Waiting;
  const Client& client = *talk->client;
  const bool has_deadline = client.deadline != Duration::max();
  outside_.post(
      model::Demand{.request = id,
                    .app = talk->app,
                    .loop = index_,
                    .key = client.key,
                    .key_weight = client.key ? kKeyWeights[client.key.value - 1] : 1,
                    .priority = client.priority,
                    .arrived = ground_.now(),
                    .deadline = has_deadline ? talk->began + client.deadline : Instant::never(),
                    .wanted_replica = talk->wanted,
                    .revision = talk->revision,
                    .affinity = client.affinity});
  if (client.number % kAsksForProgress == 0)
    outside_.post(model::ProgressAsked{.request = id, .loop = index_});
}

// The replica it asks for is parked: it waits for that one, whoever else has room.
bool Loop::waits_for_parked(const Talk& talk) const {
  if (!talk.wanted || talk.client->priority == model::Priority::Low) return false;
  const auto route = routes_.find(talk.app);
  if (route == routes_.end()) return false;
  const auto& parked = route->second.parked;
  return std::find(parked.begin(), parked.end(), talk.wanted) != parked.end();
}

void Loop::lower(Talk& talk) {
  if (!talk.is_raised) return;
  talk.is_raised = false;
  if (outside_.shared.waiting[talk.app]-- == 0)
    violate(Checker::Requests, "more requests have ended waiting than began");
}

// --- with a slot ---

void Loop::send(RequestId id) {
  Talk* talk = find(id);
  if (talk == nullptr) return;
  const model::RouteReplica replica = talk->replica;
  Exchange exchange{.client = talk->client->number, .service = talk->client->service};
  exchange.ended = [this, id, watch = actor_.life().watch()](bool is_broken) {
    if (watch.expired()) return;
    actor_.at(ground_.now() + ground_.between(1us, 50us),
              [this, id, is_broken] { finish(id, is_broken); });
  };
  if (outside_.machine.send(replica.id, replica.port, std::move(exchange))) {
    outside_.clients.run(*talk->client);
    talk->where = Where::Running;
    talk->sent = ground_.now();
    outside_.clients.served_by(talk->client->app, replica.id);
    begin_busy(*talk);
    const Duration timeout =
        routes_.contains(talk->app) ? routes_.at(talk->app).timeout : Duration(60s);
    actor_.at(ground_.now() + timeout, [this, id] { time_out(id); });
    return;
  }
  outside_.post(
      model::ReplicaSuspected{replica.id, model::Suspicion::ConnectFailed, "connection refused"});
  const bool is_last = ++talk->connects_failed == kConnectsMax;
  actor_.next([this, id, replica, app = talk->app, is_last] {
    give_back(replica, app, [this, id, is_last] {
      is_last ? end(id, End::Refused, "replica_unreachable") : look(id);
    });
  });
}

void Loop::finish(RequestId id, bool is_broken) {
  Talk* talk = find(id);
  if (talk == nullptr) return;
  const model::RouteReplica replica = talk->replica;
  end_busy(*talk, !is_broken);
  if (is_broken) {
    outside_.post(
        model::ReplicaSuspected{replica.id, model::Suspicion::BrokenReply, "the reply broke off"});
    outside_.books.truth(replica.id).is_disturbed = true;
  } else {
    idle_connections_[replica.id] = ground_.now() + kConnectionLife;
  }
  const AppId app = talk->app;
  end(id, is_broken ? End::Broken : End::Answered, is_broken ? "replica_crashed" : "");
  actor_.next([this, replica, app] { give_back(replica, app, nullptr); });
}

// The client goes away while its request waits or runs.
void Loop::leave(Client& client) {
  actor_.soon([this, &client] {
    if (client.end != End::None) return;
    const auto it = std::find_if(talks_.begin(), talks_.end(),
                                 [&](const auto& one) { return one.second.client == &client; });
    if (it == talks_.end()) {
      outside_.clients.finish(client, End::Left);
      return;
    }
    const Talk talk = it->second;
    end(talk.id, End::Left, "");
    if (talk.where == Where::Waiting) outside_.post(model::RequestLeft{talk.id});
    if (talk.where != Where::Running) return;
    outside_.machine.hang_up(talk.replica.id, client.number);
    end_busy(talk, false);
    actor_.next([this, talk] { give_back(talk.replica, talk.app, nullptr); });
  });
}

void Loop::time_out(RequestId id) {
  Talk* talk = find(id);
  if (talk == nullptr || talk->where != Where::Running) return;
  const model::RouteReplica replica = talk->replica;
  const AppId app = talk->app;
  outside_.machine.hang_up(replica.id, talk->client->number);
  end_busy(*talk, false);
  outside_.post(model::ReplicaSuspected{replica.id, model::Suspicion::FirstByteTimeout,
                                        "no reply within the timeout"});
  end(id, End::Refused, "timeout");
  actor_.next([this, replica, app] { give_back(replica, app, nullptr); });
}

void Loop::end(RequestId id, End how, const std::string& code) {
  Talk& talk = talks_.at(id);
  lower(talk);
  outside_.clients.finish(*talk.client, how, code);
  talks_.erase(id);
}

void Loop::give_back(model::RouteReplica replica, AppId app, std::function<void()> then) {
  const auto given = outside_.machine.slots().give_back(key_of(replica), ground_.now());
  if (given.was_last_of_closed) outside_.post(model::SlotsDrained{replica.id});
  actor_.next([this, replica, app, then = std::move(then)] {
    if (outside_.shared.waiting[app] > 0) outside_.post(model::SlotFree{replica.id});
    if (then) actor_.next(then);
  });
}

// --- what control says ---

void Loop::deliver(model::Effect message, std::function<void()> done) {
  actor_.soon([this, message = std::move(message), done = std::move(done)] {
    if (const auto* route = std::get_if<model::RouteChanged>(&message)) on_route(route->route);
    if (const auto* handover = std::get_if<model::Handover>(&message)) on_handover(*handover);
    if (const auto* refusal = std::get_if<model::RefuseRequest>(&message)) on_refusal(*refusal);
    if (const auto* close = std::get_if<model::CloseConnections>(&message))
      on_close(close->replica);
    if (std::holds_alternative<model::AskBusy>(message)) report_busy();
    if (done) done();
  });
}

void Loop::on_route(const model::Route& route) {
  const auto named = names_.find(route.name);
  if (route.is_gone) {
    routes_.erase(route.app);
    if (named != names_.end() && named->second == route.app) names_.erase(named);
    return;
  }
  // An app that was deleted and deployed again has another id; only the later one is called.
  names_.insert_or_assign(route.name, route.app);
  routes_[route.app] = route;
}

void Loop::on_handover(const model::Handover& handover) {
  Talk* talk = find(handover.request);
  if (talk != nullptr && talk->where == Where::Waiting) {
    talk->where = Where::Trying;
    talk->replica = handover.replica;
    lower(*talk);
    check_wait(*talk);
    actor_.next([this, id = handover.request] { send(id); });
    return;
  }
  if (talk != nullptr)
    violate(Checker::Requests,
            model::to_text(handover.request) + " is handed over but does not wait");
  // The slot goes back first: control tries the next one as soon as it hears of the refusal.
  actor_.next([this, handover] {
    give_back(handover.replica, AppId{}, [this, handover] {
      const auto problem = model::HandoverProblem::ClientLeft;
      outside_.post(model::HandoverRefused{handover.request, handover.replica.id, problem});
    });
  });
}

void Loop::on_refusal(const model::RefuseRequest& refusal) {
  Talk* talk = find(refusal.request);
  if (talk == nullptr) return;
  if (talk->where != Where::Waiting)
    violate(Checker::Requests, model::to_text(refusal.request) + " is refused but does not wait");
  check_wait(*talk);
  end(refusal.request, End::Refused, refusal.refusal.code);
}

// Slow messages, and control being busy elsewhere, are allowed for.
void Loop::check_wait(const Talk& talk) const {
  constexpr Duration kSlack = 15s;
  const Duration allowed = outside_.scenario.apps[talk.client->app].spec.queue.wait + kSlack;
  const Duration lost = ground_.lost - talk.lost_before;
  if (ground_.now() - talk.began > allowed + lost)
    violate(Checker::Waiting, model::to_text(talk.id) + " has waited longer than queue.wait");
}

bool Loop::has_room(const Talk& talk) const {
  const auto route = routes_.find(talk.app);
  if (route == routes_.end()) return false;
  const auto& replicas = route->second.replicas;
  // Who waits for a parked replica, or for a revision by its share, may wait beside others' room.
  const bool is_split = !route->second.shares.empty();
  if (waits_for_parked(talk)) return false;
  return std::any_of(replicas.begin(), replicas.end(), [&](const model::RouteReplica& replica) {
    if (is_split && replica.revision != talk.revision) return false;
    const os::SlotWord word = outside_.machine.slots().read(replica.slot);
    return !word.is_closed && word.generation == replica.generation &&
           word.in_flight < replica.slots;
  });
}

void Loop::check_nobody_is_forgotten(const control::World& world) {
  constexpr Duration kForgottenAfter = 8s;
  // Less than an idle replica takes to cool, which would mend it.
  constexpr Duration kRoomUnused = 1500ms;
  // What was late is there by then.
  const bool is_calm = ground_.calm_for({}) > 4s;
  const auto lasts = [&](bool is_so, std::optional<Instant>& since, Duration least) {
    if (!is_so) {
      since.reset();
    } else if (!since) {
      since = ground_.now();
    }
    return is_calm && since && ground_.calm_for(*since) > least;
  };
  for (auto& [id, talk] : talks_) {
    const bool waits = talk.where == Where::Waiting;
    if (lasts(waits && has_room(talk), talk.room_since, kRoomUnused)) {
      violate(Checker::Waiting,
              model::to_text(id) + " waits although a replica has had room for seconds");
    }
    if (lasts(waits && !world.waiting.contains(id), talk.unknown_since, kForgottenAfter))
      violate(Checker::Requests, model::to_text(id) + " waits and control has forgotten it");
  }
}

void Loop::on_close(ReplicaId replica) { idle_connections_.erase(replica); }

bool Loop::has_idle_connection(ReplicaId replica) const {
  const auto it = idle_connections_.find(replica);
  return it != idle_connections_.end() && it->second > ground_.now();
}

// --- busy time ---

void Loop::begin_busy(const Talk& talk) {
  Busy& busy = busy_[talk.replica.id];
  count(busy);
  if (busy.running++ == 0) busy.since = ground_.now();
  if (talk.client->priority == model::Priority::Low) ++busy.running_low;
  busy.most = std::max(busy.most, busy.running - busy.running_low);
  schedule_report();
}

void Loop::end_busy(const Talk& talk, bool is_answered) {
  outside_.books.truth(talk.replica.id).served.push_back({talk.sent, ground_.now()});
  Busy& busy = busy_[talk.replica.id];
  count(busy);
  if (talk.client->priority == model::Priority::Low) --busy.running_low;
  if (--busy.running == 0 && ground_.now() > busy.since)
    busy.spans.push_back({busy.since, ground_.now()});
  if (is_answered) ++busy.answered;
  if (is_answered && answers_badly(talk)) ++busy.failed;
}

// Every other revision of such an app is a bad one.
bool Loop::answers_badly(const Talk& talk) {
  if (!outside_.scenario.apps[talk.client->app].has_rollout) return false;
  return ground_.one_in(talk.replica.revision_number % 2 == 0 ? 3 : 40);
}

void Loop::count(Busy& busy) {
  busy.request_time += (ground_.now() - busy.counted_to) * busy.running;
  busy.low_time += (ground_.now() - busy.counted_to) * busy.running_low;
  busy.counted_to = ground_.now();
}

void Loop::report_busy() {
  model::BusyMeasured report{.loop = index_, .complete_up_to = ground_.now()};
  for (auto it = busy_.begin(); it != busy_.end();) {
    Busy& busy = it->second;
    count(busy);
    if (busy.running > 0 && ground_.now() > busy.since) {
      busy.spans.push_back({busy.since, ground_.now()});
      busy.since = ground_.now();
    }
    report.entries.push_back({.replica = it->first,
                              .spans = std::exchange(busy.spans, {}),
                              .most = std::exchange(busy.most, busy.running - busy.running_low),
                              .request_time = std::exchange(busy.request_time, Duration{}),
                              .low_time = std::exchange(busy.low_time, Duration{}),
                              .answered = std::exchange(busy.answered, 0U),
                              .failed = std::exchange(busy.failed, 0U)});
    it = busy.running > 0 ? std::next(it) : busy_.erase(it);
  }
  outside_.post(std::move(report));
}

void Loop::schedule_report() {
  if (is_report_due_) return;
  is_report_due_ = true;
  actor_.at(ground_.now() + kReportEvery, [this] {
    is_report_due_ = false;
    report_busy();
    if (!busy_.empty()) schedule_report();
  });
}

}  // namespace kelvin::sim
