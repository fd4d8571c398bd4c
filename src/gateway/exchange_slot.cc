// exchange_slot: a slot, and a connection to the replica that it belongs to.
//
// Nobody sleeps on a slot that is free. Whoever finds none first raises the app's `waiting` and then tries once more;
// whoever gives one back first gives it and then looks at `waiting`. Whichever comes second sees the other: either the
// second try takes the slot, or the giver tells control, which has or gets the Demand. The fences make the two writes
// visible before the two reads.
#include <algorithm>
#include <atomic>

#include "core/admit/admit.h"
#include "core/route/route.h"
#include "gateway/exchange.h"
#include "gateway/h1_upstream.h"
#include "gateway/h2_upstream.h"

namespace kelvin::gateway {

// What the request asks for its own wait. False: refused.
bool Exchange::read_wishes_of(const http::RequestHead& head) {
  auto wishes = read_wishes(head);
  if (!wishes) {
    refuse(wishes.error());
    return false;
  }
  s_.wishes = *wishes;
  return true;
}

// Where it belongs among the app's replicas; the same for every try.
void Exchange::draw_place(const http::RequestHead& head, BodyStart body) {
  const model::Route& route = s_.app->route;
  s_.affinity = affinity_of(route.affinity, head, body);
  s_.revision = route::draw_revision(route.shares, s_.affinity, loop_.random());
}

// The replica that it asks for by name is parked and will be woken for it, whoever else has room.
bool Exchange::waits_for_parked() const {
  const auto& parked = s_.app->route.parked;
  return s_.wishes.replica && !is_low() &&
         std::find(parked.begin(), parked.end(), s_.wishes.replica) != parked.end();
}

void Exchange::seek_slot() {
  const AppGate& gate = *s_.app->gate;
  // Who waits already comes first.
  const bool may_try = gate.waiting.load(std::memory_order_acquire) == 0 && !waits_for_parked();
  if (may_try && try_slot()) return;
  wait_for_slot();
}

// Takes a slot of some replica with room and goes there.
bool Exchange::try_slot() {
  const auto& replicas = s_.app->route.replicas;
  os::SlotTable& slots = *loop_.shared().slots;
  auto& loads = loop_.loads();
  loads.clear();
  for (const model::RouteReplica& replica : replicas) {
    const os::SlotWord word = slots.read(replica.slot);
    const bool is_open =
        !word.is_closed && word.generation == replica.generation && replica.id != s_.avoid;
    loads.push_back({.in_flight = word.in_flight,
                     .slots = replica.slots,
                     .is_open = is_open,
                     .id = replica.id,
                     .revision = replica.revision,
                     .is_spare = replica.is_spare});
  }
  const route::Wish wish{
      .affinity = s_.affinity, .wanted = s_.wishes.replica, .revision = s_.revision};
  for (const std::uint32_t index : route::pick(loads, wish, loop_.random())) {
    const model::RouteReplica& replica = replicas[index];
    if (!slots.try_take({replica.slot, replica.generation}, replica.slots)) continue;
    leave_queue();
    dispatch(replica);
    return true;
  }
  return false;
}

void Exchange::wait_for_slot() {
  State& e = s_;
  timeout_.drop();  // time in the queue is not the request's
  const std::uint32_t before = e.app->gate->waiting.fetch_add(1, std::memory_order_seq_cst);
  e.is_waiting = true;
  Metrics::add(loop_.counts().requests_waiting);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (before == 0 && !waits_for_parked() && try_slot()) return;
  const admit::Question question{
      .surface = e.is_openai ? admit::Surface::OpenAi : admit::Surface::App,
      .name = e.app->route.name,
      .route = &e.app->route,
      .waiting = before,
      .found_no_slot = true,
      .now = loop_.now()};
  const admit::Answer answer = admit::admit(question);
  if (answer.verdict == admit::Verdict::Refuse) {
    leave_queue();
    return refuse(answer.refusal);
  }
  step_ = Step::Waiting;
  if (e.wants_progress) loop_.timers().set(progress_, loop_.now() + loop_.limits().progress_after);
  loop_.remember_waiting(e.id, *this);
  loop_.shared().control->post(demand());
}

model::Demand Exchange::demand() const {
  const State& e = s_;
  return {.request = e.id,
          .app = e.app->route.app,
          .loop = loop_.index(),
          .key = e.key,
          .key_weight = e.key_weight,
          .priority = e.wishes.priority,
          .arrived = e.arrived,
          .deadline = e.wishes.deadline ? e.arrived + *e.wishes.deadline : Instant::never(),
          .wanted_replica = e.wishes.replica,
          .revision = e.revision,
          .affinity = e.affinity};
}

void Exchange::leave_queue() {
  if (!std::exchange(s_.is_waiting, false)) return;
  s_.app->gate->waiting.fetch_sub(1, std::memory_order_acq_rel);
  Metrics::take(loop_.counts().requests_waiting);
  loop_.forget_waiting(s_.id);
  progress_.drop();
}

void Exchange::on_handover(model::Handover& handover) {
  leave_queue();
  State& e = s_;
  e.woke_from = handover.woke_from;
  e.stages = std::move(handover.stages);
  if (e.woke_from == model::Temperature::Cold) Metrics::add(loop_.counts().cold_starts);
  if (e.woke_from == model::Temperature::Parked) Metrics::add(loop_.counts().resumes);
  dispatch(handover.replica);
  if (e.has_said_progress) say_who_serves();
  downstream_.advance();
}

void Exchange::on_refusal(const model::Refusal& refusal) {
  leave_queue();
  refuse(refusal);
  downstream_.advance();
}

void Exchange::dispatch(const model::RouteReplica& replica) {
  State& e = s_;
  e.replica = replica;
  e.avoid = {};
  if (e.tries++ > 0) Metrics::add(loop_.counts().retries);
  if (e.dispatched == Instant{}) e.dispatched = loop_.now();
  Metrics::add(loop_.counts().requests_in_flight);
  loop_.timers().set(timeout_, loop_.now() + e.app->route.timeout);
  open_upstream();
}

void Exchange::open_upstream() {
  if (s_.app->route.protocol == model::Protocol::H2c) {
    auto made = loop_.connect_h2(s_.replica);
    if (!made) return leave_failed(std::move(made.error().what));
    upstream_ = &(*made)->open(*this);
    step_ = upstream_->is_connected() ? Step::Proxying : Step::Connecting;
    return;
  }
  H1Upstream* upstream = loop_.take_idle(s_.replica.id);
  if (upstream == nullptr) {
    auto made = loop_.connect(s_.replica);
    if (!made) return leave_failed(std::move(made.error().what));
    upstream = *made;
  }
  upstream->bind(*this, s_.body_form);
  upstream_ = upstream;
  step_ = upstream_->is_connected() ? Step::Proxying : Step::Connecting;
}

void Exchange::on_connected() { step_ = Step::Proxying; }

void Exchange::connect_failed(std::string detail) {
  leave_failed(std::move(detail));
  downstream_.advance();
}

// No byte of the request has reached the replica.
void Exchange::leave_failed(std::string detail) {
  suspect(model::Suspicion::ConnectFailed, std::move(detail));
  leave_replica(false);
  try_elsewhere();
}

void Exchange::try_elsewhere() {
  State& e = s_;
  if (e.app == nullptr || e.tries >= loop_.limits().tries_max) {
    return refuse({.status = 502,
                   .code = "replica_unreachable",
                   .sentence = "No replica of '" + app_name() +
                               "' accepted a connection. They are being "
                               "replaced; try again. 'kelvin explain " +
                               app_name() + "' says more.",
                   .retry_after = 1s});
  }
  const auto& all = loop_.routes().all();
  if (const auto found = all.find(e.app->route.app); found != all.end()) e.app = found->second;
  seek_slot();
}

void Exchange::suspect(model::Suspicion suspicion, std::string detail) {
  if (!s_.replica.id) return;
  loop_.shared().control->post(
      model::ReplicaSuspected{s_.replica.id, suspicion, std::move(detail)});
}

void Exchange::give_slot_back(Instant at) {
  const model::RouteReplica& replica = s_.replica;
  Shared& shared = loop_.shared();
  const auto given = shared.slots->give_back({replica.slot, replica.generation}, at);
  if (given.was_last_of_closed) {
    loop_.report_busy();
    shared.control->post(model::SlotsDrained{replica.id});
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (s_.app->gate->waiting.load(std::memory_order_seq_cst) > 0 ||
      shared.tells_every_slot.load(std::memory_order_seq_cst))
    shared.control->post(model::SlotFree{replica.id});
}

void Exchange::leave_replica(bool keeps) {
  State& e = s_;
  const Instant at = loop_.clock_now();
  if (e.replica.id && e.any_byte_sent)
    loop_.busy().end(e.replica.id, at,
                     {.is_answered = e.head_is_done, .is_low = is_low(), .is_failed = e.is_failed});
  if (upstream_ != nullptr) std::exchange(upstream_, nullptr)->leave(keeps);
  e.left_at = at;
  if (!e.replica.id) return;
  Metrics::take(loop_.counts().requests_in_flight);
  timeout_.drop();
  give_slot_back(at);
  e.avoid = e.replica.id;
  e.left = e.replica.id;
  e.left_revision = e.replica.revision_number;
  e.replica = {};
}

}  // namespace kelvin::gateway
