// exchange_finish: replies of the gateway's own, and the end.
#include "gateway/exchange.h"
#include "gateway/problem.h"
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

Exchange::Exchange(Loop& loop, Downstream& downstream) : loop_(loop), downstream_(downstream) {
  timeout_.owner = this;
  timeout_.kind = static_cast<std::uint8_t>(TimerKind::RequestTimeout);
  progress_.owner = this;
  progress_.kind = static_cast<std::uint8_t>(TimerKind::Progress);
}

void Exchange::start() {
  s_ = State{};
  s_.id = loop_.next_request_id();
  s_.arrived = loop_.now();
  step_ = Step::Idle;
}

std::string Exchange::app_name() const {
  return s_.app == nullptr ? "management" : s_.app->route.name;
}

void Exchange::refuse(const model::Refusal& refusal) {
  if (has_sent_head()) return break_reply(refusal);
  const ErrorBody body = error_body(refusal, s_.is_openai);
  std::string fields = retry_after_field(refusal);
  if (refusal.status == 401) http::append_field(fields, "WWW-Authenticate", "Bearer");
  if (!s_.allowed_origin.empty()) {
    http::append_field(fields, "Access-Control-Allow-Origin", s_.allowed_origin);
    http::append_field(fields, "Vary", "Origin");
  }
  reply_own({.status = refusal.status,
             .content_type = body.content_type,
             .body = body.text,
             .extra_fields = fields,
             .code = refusal.code});
}

void Exchange::reply_own(const Own& own) {
  State& e = s_;
  const std::string id = model::to_text(e.id);
  const Duration waited =
      e.dispatched == Instant{} && e.app != nullptr ? loop_.now() - e.arrived : Duration::zero();
  const std::string timing = e.stages.empty()
                                 ? timing_text({{model::Phase::Queue, waited}}, std::nullopt)
                                 : timing_text(e.stages, std::nullopt);
  request_out_.clear();
  free_held();
  e.raw_head = {};
  note_end(own.status, Ending::Answered, own.code);
  set_over();
  downstream_.send_own({.status = own.status,
                        .content_type = own.content_type,
                        .body = own.body,
                        .extra_fields = own.extra_fields,
                        .request_id = id,
                        .server_timing = timing,
                        .unix_seconds = loop_.unix_seconds(),
                        .is_head = e.is_head});
}

void Exchange::set_over() {
  step_ = Step::Over;
  timeout_.drop();
  progress_.drop();
}

void Exchange::note_head(const http::RequestHead& head, Surface surface) {
  State& e = s_;
  switch (surface) {
    case Surface::App:
      e.route = RouteLabel::Proxy;
      break;
    case Surface::OpenAi:
      e.route = openai_label(head.path);
      break;
    case Surface::Management:
      e.route = RouteLabel::Management;
      break;
    case Surface::Nowhere:
    case Surface::ForeignHost:
      break;
  }
  loop_.notary().note_head(e.note, head);
  e.note.is_tls = downstream_.is_secure();
  if (downstream_.is_h2()) e.note.version = HttpVersion::Http2;
}

// Tells the notary, once.
void Exchange::note_end(int status, Ending ending, std::string_view code) {
  State& e = s_;
  if (!e.id || std::exchange(e.is_noted, true)) return;
  const bool has_worked = e.left && e.any_byte_sent;
  loop_.notary().note_end({.id = e.id,
                           .head = &e.note,
                           .app = e.app.get(),
                           .route = e.route,
                           .client_address = downstream_.address(),
                           .replica = e.left,
                           .revision = e.left_revision,
                           .status = status,
                           .ending = ending,
                           .code = code,
                           .woke_from = e.woke_from,
                           .stages = e.stages,
                           .arrived = e.arrived,
                           .dispatched = e.dispatched,
                           .first_byte_sent = e.first_byte_sent,
                           .first_byte_read = e.first_byte_read,
                           .last_byte_read = has_worked ? e.left_at : Instant{},
                           .ended = ending == Ending::Replied ? e.left_at : loop_.clock_now(),
                           .request_bytes = e.request_bytes,
                           .reply_bytes = e.reply_bytes});
}

void Exchange::free_held() {
  State& e = s_;
  if (e.held.empty()) return;
  loop_.shared().held_bytes.fetch_sub(e.held.size(), std::memory_order_relaxed);
  std::string().swap(e.held);
  e.held_from = 0;
}

void Exchange::on_timeout() {
  State& e = s_;
  const model::Refusal refusal{
      .status = 504,
      .code = "app_timeout",
      .sentence = "The replica of '" + app_name() +
                  "' did not finish within the app's timeout of " +
                  std::to_string(whole_ms(e.app->route.timeout)) +
                  " ms. Raise 'timeout' in the app file if requests may take longer."};
  if (!e.head_is_done && e.any_byte_sent) {
    suspect(model::Suspicion::FirstByteTimeout, "no reply within the app's timeout");
    e.is_failed = true;
  }
  leave_replica(false);
  refuse(refusal);
  downstream_.advance();
}

void Exchange::body_stalled() { refuse_slow_body("The request's body stopped arriving."); }

void Exchange::body_too_slow() {
  const RateRule& rule = loop_.limits().body_rate;
  refuse_slow_body("The request's body came at less than " +
                   std::to_string(rule.bytes_per_second_min) + " bytes a second for " +
                   std::to_string(whole_ms(rule.window)) +
                   " ms. Send it faster, or have the server's limit 'body-rate' lowered.");
}

void Exchange::refuse_slow_body(std::string sentence) {
  leave_replica(false);
  refuse({.status = 408, .code = "body_too_slow", .sentence = std::move(sentence)});
  downstream_.advance();
}

void Exchange::client_left() {
  if (step_ == Step::Over) return;
  State& e = s_;
  if (e.is_waiting) {
    leave_queue();
    loop_.shared().control->post(model::RequestLeft{e.id});
  }
  leave_replica(false);
  note_end(e.head_is_done ? e.status : kClientLeftStatus, Ending::ClientLeft);
  free_held();
  set_over();
}

}  // namespace kelvin::gateway
