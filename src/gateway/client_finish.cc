// client_finish: replies of the gateway's own, and what comes after a reply.
#include <sys/socket.h>

#include "gateway/client.h"
#include "gateway/problem.h"
#include "gateway/upstream.h"
#include "http/write.h"
#include "model/ids.h"

namespace kelvin::gateway {

std::string_view cold_start_word(model::Temperature woke_from) {
  switch (woke_from) {
    case model::Temperature::Cold:
      return "cold";
    case model::Temperature::Parked:
      return "parked";
    case model::Temperature::Hot:
    case model::Temperature::Warm:
      return {};
  }
  return {};
}

void Client::refuse(const model::Refusal& refusal) {
  const ErrorBody body = error_body(refusal, exchange_.is_openai);
  std::string fields = retry_after_field(refusal);
  if (refusal.status == 401) http::append_field(fields, "WWW-Authenticate", "Bearer");
  if (!exchange_.allowed_origin.empty()) {
    http::append_field(fields, "Access-Control-Allow-Origin", exchange_.allowed_origin);
    http::append_field(fields, "Vary", "Origin");
  }
  reply_own({.status = refusal.status,
             .content_type = body.content_type,
             .body = body.text,
             .extra_fields = fields});
}

// The reply goes out when the step is taken.
void Client::reply_own(const Own& own) {
  Exchange& e = exchange_;
  const std::string id = model::to_text(e.id);
  const Duration waited =
      e.dispatched == Instant{} && e.app != nullptr ? loop_.now() - e.arrived : Duration::zero();
  const std::string timing = e.stages.empty()
                                 ? timing_text({{model::Phase::Queue, waited}}, std::nullopt)
                                 : timing_text(e.stages, std::nullopt);
  // An HTTP/1.0 client reads to the end unless it is told otherwise, which own replies do not.
  if (!e.keeps_alive || e.is_old || is_drained_ || !body_is_here()) e.closes = true;
  text_.clear();
  append_own_reply(text_, {.status = own.status,
                           .content_type = own.content_type,
                           .body = own.body,
                           .extra_fields = own.extra_fields,
                           .request_id = id,
                           .server_timing = timing,
                           .unix_seconds = loop_.unix_seconds(),
                           .is_head = e.is_head,
                           .closes = e.closes});
  out_.keep(text_);
  request_out_.clear();
  free_held();
  e.raw_head = {};
  note_end(own.status);
  set_step(Step::Replying, Duration::zero());
}

// Whether the rest of the request's body has come in already, so that the next request can be found behind it.
bool Client::body_is_here() const {
  return exchange_.body_is_held || exchange_.body.fits(in_.view().size() - in_hand_);
}

void Client::next_request() {
  Exchange& e = exchange_;
  if (saw_end_) return loop_.discard(*this);
  if (e.closes || is_drained_) return begin_linger();
  if (!e.body_is_held && !e.body.is_done()) in_.consume(e.body.read(in_.bytes()).consumed);
  // What is left of a body must never be read as a request.
  if (!e.body.is_done()) return begin_linger();
  exchange_ = Exchange{};
  head_has_begun_ = false;
  set_step(Step::ReadingHead, loop_.limits().idle_time);
}

// Counts and logs the request, once.
void Client::note_end(int status) {
  Exchange& e = exchange_;
  if (!e.id || std::exchange(e.is_noted, true)) return;
  Metrics& counts = loop_.counts();
  const bool has_left = status == kClientLeftStatus;
  Metrics::add(counts.requests_by_class[has_left ? 0 : static_cast<std::size_t>(status / 100)]);
  Metrics::add(counts.request_bytes, e.request_bytes);
  Metrics::add(counts.reply_bytes, e.reply_bytes);
  RequestLog* log = loop_.shared().log.get();
  if (log == nullptr || e.app == nullptr) return;
  const Instant slot_at = e.dispatched == Instant{} ? loop_.now() : e.dispatched;
  log->write({.request = e.id,
              .app = e.app->route.name,
              .replica = e.left,
              .first_byte_sent = e.first_byte_sent,
              .last_byte_read = e.any_byte_sent ? e.left_at : Instant{},
              .status = status,
              .request_bytes = e.request_bytes,
              .reply_bytes = e.reply_bytes,
              .waited = slot_at - e.arrived,
              .woke_from = model::to_text(e.woke_from)});
}

void Client::free_held() {
  Exchange& e = exchange_;
  loop_.shared().held_bytes.fetch_sub(e.held.size(), std::memory_order_relaxed);
  std::string().swap(e.held);
  e.held_from = 0;
}

void Client::on_request_timeout() {
  Exchange& e = exchange_;
  const model::Refusal refusal{
      .status = 504,
      .code = "app_timeout",
      .sentence = "The replica of '" + e.app->route.name +
                  "' did not finish within the app's timeout of " +
                  std::to_string(whole_ms(e.app->route.timeout)) +
                  " ms. Raise 'timeout' in the app file if requests may take longer."};
  if (!e.head_is_done && e.any_byte_sent)
    suspect(model::Suspicion::FirstByteTimeout, "no reply within the app's timeout");
  const bool had_head = e.head_is_done;
  leave_replica(false);
  if (had_head)
    break_reply(refusal);
  else
    refuse(refusal);
  advance();
}

void Client::abandon() { client_left(); }

void Client::client_left() {
  Exchange& e = exchange_;
  if (e.is_waiting) {
    leave_queue();
    loop_.shared().control->post(model::RequestLeft{e.id});
  }
  leave_replica(false);
  note_end(e.head_is_done ? e.status : kClientLeftStatus);
  free_held();
  step_timer_.drop();
  request_timer_.drop();
  loop_.discard(*this);
}

}  // namespace kelvin::gateway
