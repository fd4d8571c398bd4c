// exchange_progress: comments in an event stream that say what a request waits for.
//
// A client that takes an event stream may ask with `Kelvin-Progress: 1` to be told why nothing comes yet. After a while the
// stream then begins before there is a replica, and comments (lines that begin with a colon, which readers of event streams
// skip) stand in front of the replica's events:
//
//   : place 1 of 1; replica r3-17 has been loading for 4 s; about 9 s to go
//
//   : served by r3-17 (cold); queue;dur=0.210, start;dur=12.000, load;dur=9310.000
//
//   data: {"choices":[...
//
// What would have been a status is said as an event from then on: data: {"error": ...}.
#include <algorithm>

#include "gateway/exchange.h"
#include "model/ids.h"

namespace kelvin::gateway {
namespace {

bool accepts_event_stream(const http::RequestHead& head) {
  for (const http::Field& field : head.fields) {
    if (!http::same_name(field.name, "Accept")) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const std::string_view one = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(one.size() + 1, rest.size()));
      if (http::list_has(one.substr(0, one.find(';')), "text/event-stream")) return true;
    }
  }
  return false;
}

}  // namespace

bool Exchange::may_be_told_progress(const http::RequestHead& head, bool streams) const {
  if (!s_.wishes.progress || s_.is_head || s_.wants_tunnel) return false;
  // The replica's 100 Continue, for which the client holds its body back, could not follow the head of the stream.
  if (head.expects_continue && s_.body.exists && !s_.is_openai) return false;
  return streams || accepts_event_stream(head);
}

// Asked again and again, whether or not the answer came: control may have moved to another process meanwhile.
void Exchange::on_progress_due() {
  loop_.timers().set(progress_, loop_.now() + loop_.limits().progress_every);
  loop_.shared().control->post(model::ProgressAsked{.request = s_.id, .loop = loop_.index()});
}

void Exchange::on_progress(const std::string& sentence) {
  say_comment(sentence);
  if (step_ == Step::Waiting) downstream_.watch(Awaited::Nothing);
  downstream_.advance();
}

// A client that takes no bytes gets fewer comments. What it does get is plain ASCII: readers differ in what else they take
// for the end of a line.
void Exchange::say_comment(std::string_view text) {
  if (!downstream_.has_room() || is_over()) return;
  if (!s_.has_said_progress) begin_event_stream();
  std::string comment = ": ";
  for (const char c : text) comment += c >= ' ' && c <= '~' ? c : '?';
  comment += "\n\n";
  downstream_.send_body({.payload = comment});
}

// What the head of a reply says otherwise.
void Exchange::say_who_serves() {
  if (step_ != Step::Connecting && step_ != Step::Proxying) return;
  const std::string_view woken = cold_start_word(s_.woke_from);
  say_comment("served by " + model::to_text(s_.replica.id) +
              (woken.empty() ? std::string() : " (" + std::string(woken) + ")") + "; " +
              timing_text(s_.stages, std::nullopt));
}

void Exchange::begin_event_stream() {
  s_.has_said_progress = true;
  http::ResponseHead head;
  head.status = 200;
  head.fields = {{"Content-Type", "text/event-stream; charset=utf-8"},
                 {"Cache-Control", "no-cache"},
                 {"X-Accel-Buffering", "no"}};
  const std::string id = model::to_text(s_.id);
  const std::string timing =
      timing_text({{model::Phase::Queue, loop_.now() - s_.arrived}}, std::nullopt);
  downstream_.send_head(head, {.request_id = id,
                               .server_timing = timing,
                               .replica = {},
                               .cold_start = {},
                               .allowed_origin = s_.allowed_origin,
                               .body = {.framing = http::Framing::Chunked}});
}

void Exchange::refuse_late_head(const http::ResponseHead& head) {
  leave_replica(false);
  const int status = head.status >= 400 ? head.status : 502;
  refuse({.status = static_cast<std::uint16_t>(status),
          .code = "no_event_stream",
          .sentence = "The replica of '" + app_name() + "' answered with status " +
                      std::to_string(head.status) +
                      " and not with a plain event stream. Leave Kelvin-Progress out to see its "
                      "whole answer."});
  // A replica that speaks HTTP/2 says its head at any moment, not in the client's turn.
  loop_.call_again(downstream_);
}

}  // namespace kelvin::gateway
