// heads: how a request's head changes on its way to a replica, and a reply's on its way back.
#include "gateway/heads.h"

#include <algorithm>
#include <array>

#include "gateway/wishes.h"
#include "http/write.h"
#include "model/replica.h"

namespace kelvin::gateway {
namespace {

// Compares with '_' read as '-': many programs see both as the same variable, so that "X_Forwarded_For" would speak
// for "X-Forwarded-For".
bool reads_as(std::string_view name, std::string_view ours) {
  if (name.size() != ours.size()) return false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    char c = name[i] == '_' ? '-' : name[i];
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    if (c != ours[i]) return false;
  }
  return true;
}

bool is_replaced_in_request(std::string_view name) {
  switch (name.size()) {
    case 4:
      return reads_as(name, "host");
    case 6:
      return reads_as(name, "expect");
    case 9:
      return reads_as(name, "forwarded") || reads_as(name, "x-real-ip");
    case 14:
      return reads_as(name, "content-length");
    case 15:
      return reads_as(name, "x-forwarded-for");
    case 16:
      return reads_as(name, "x-forwarded-host") || reads_as(name, "x-forwarded-port");
    case 17:
      return reads_as(name, "x-forwarded-proto") || reads_as(name, "kelvin-request-id") ||
             reads_as(name, "transfer-encoding");
    case 18:
      return reads_as(name, "x-forwarded-prefix");
    default:
      return false;
  }
}

bool is_replaced_trace(std::string_view name, const Forwarding& forwarding) {
  if (name.size() == 11) return !forwarding.traceparent.empty() && reads_as(name, "traceparent");
  return name.size() == 10 && forwarding.restarts_trace && reads_as(name, "tracestate");
}

bool is_replaced_in_reply(std::string_view name, const ReplyNotes& notes) {
  switch (name.size()) {
    case 14:
      return reads_as(name, "content-length") || reads_as(name, "kelvin-replica");
    case 17:
      return reads_as(name, "kelvin-request-id") || reads_as(name, "kelvin-cold-start");
    case 27:
      return !notes.allowed_origin.empty() && reads_as(name, "access-control-allow-origin");
    default:
      return false;
  }
}

void append_framing(std::string& out, const BodyOut& body) {
  switch (body.framing) {
    case http::Framing::Length:
      http::append_field(out, "Content-Length", body.length);
      break;
    case http::Framing::Chunked:
      http::append_field(out, "Transfer-Encoding", "chunked");
      break;
    case http::Framing::None:
    case http::Framing::UntilClose:
      break;
  }
}

// RFC 7239: an IPv6 address stands in brackets and quotes.
void append_forwarded(std::string& out, const http::RequestHead& head,
                      const Forwarding& forwarding) {
  const std::string_view address = forwarding.client_address;
  const bool is_v6 = address.find(':') != std::string_view::npos;
  out += is_v6 ? "Forwarded: for=\"[" : "Forwarded: for=";
  out += address;
  if (is_v6) out += "]\"";
  if (!head.host.empty()) {
    out += ";host=\"";
    out += head.host;
    out += '"';
  }
  out += forwarding.is_secure ? ";proto=https\r\n" : ";proto=http\r\n";
}

void append_ms(std::string& out, Duration time) {
  const std::int64_t us = std::max<std::int64_t>(time.count(), 0) / 1000;
  const std::string fraction = std::to_string(us % 1000);
  out += std::to_string(us / 1000);
  out += '.';
  out.append(3 - fraction.size(), '0');
  out += fraction;
}

void append_stage(std::string& out, std::string_view name, Duration time) {
  if (!out.empty()) out += ", ";
  out += name;
  out += ";dur=";
  append_ms(out, time);
}

}  // namespace

void append_forwarded_head(std::string& out, const http::RequestHead& head,
                           const Forwarding& forwarding) {
  http::append_request_line(out, head.method, forwarding.path);
  http::append_field(out, "Host", head.host.empty() ? "localhost" : head.host);
  for (const http::Field& field : head.fields) {
    if (is_replaced_in_request(field.name) || is_replaced_trace(field.name, forwarding) ||
        is_wish(field.name) || http::is_hop_by_hop(head, field.name))
      continue;
    if (forwarding.removes_authorization && reads_as(field.name, "authorization")) continue;
    if (forwarding.wants_plain_reply && reads_as(field.name, "accept-encoding")) continue;
    http::append_field(out, field.name, field.value);
  }
  append_framing(out, forwarding.body);
  // A server may wait for a length after a POST that says none.
  const bool may_have_body =
      head.method == "POST" || head.method == "PUT" || head.method == "PATCH";
  if (forwarding.body.framing == http::Framing::None && (may_have_body || head.content_length))
    http::append_field(out, "Content-Length", std::uint64_t{0});
  if (forwarding.passes_expect) http::append_field(out, "Expect", "100-continue");
  if (!forwarding.upgrade.empty()) {
    http::append_field(out, "Connection", "upgrade");
    http::append_field(out, "Upgrade", forwarding.upgrade);
  }
  append_forwarded(out, head, forwarding);
  http::append_field(out, "X-Forwarded-For", forwarding.client_address);
  http::append_field(out, "X-Forwarded-Proto", forwarding.is_secure ? "https" : "http");
  if (!head.host.empty()) http::append_field(out, "X-Forwarded-Host", head.host);
  if (!forwarding.prefix.empty()) http::append_field(out, "X-Forwarded-Prefix", forwarding.prefix);
  http::append_field(out, "Kelvin-Request-Id", forwarding.request_id);
  if (!forwarding.traceparent.empty())
    http::append_field(out, "traceparent", forwarding.traceparent);
  out += "\r\n";
}

void append_reply_head(std::string& out, const http::ResponseHead& head, const ReplyNotes& notes) {
  out += "HTTP/1.1 ";
  out += std::to_string(head.status);
  out += ' ';
  out += head.reason.empty() ? http::reason_of(head.status) : head.reason;
  out += "\r\n";
  for (const http::Field& field : head.fields) {
    if (is_replaced_in_reply(field.name, notes) || http::is_hop_by_hop(head, field.name)) continue;
    http::append_field(out, field.name, field.value);
  }
  append_framing(out, notes.body);
  // Where the reply has no body (HEAD, 304) its length is still a statement about the resource; without a body and
  // without this field a client would read on until the connection ends.
  if (notes.body.framing == http::Framing::None && head.content_length && head.status != 204)
    http::append_field(out, "Content-Length", *head.content_length);
  http::append_field(out, "Kelvin-Request-Id", notes.request_id);
  http::append_field(out, "Server-Timing", notes.server_timing);
  if (!notes.replica.empty()) http::append_field(out, "Kelvin-Replica", notes.replica);
  if (!notes.cold_start.empty()) http::append_field(out, "Kelvin-Cold-Start", notes.cold_start);
  if (!notes.allowed_origin.empty()) {
    http::append_field(out, "Access-Control-Allow-Origin", notes.allowed_origin);
    http::append_field(out, "Vary", "Origin");
  }
  if (head.status == 101) {
    http::append_field(out, "Connection", "upgrade");
    if (const http::Field* upgrade = head.find("Upgrade"))
      http::append_field(out, "Upgrade", upgrade->value);
  } else if (notes.closes)
    http::append_field(out, "Connection", "close");
  else if (notes.says_keep_alive)
    http::append_field(out, "Connection", "keep-alive");
  out += "\r\n";
}

void append_reply_fields(std::vector<http::Field>& fields, std::string& length,
                         const http::ResponseHead& head, const ReplyNotes& notes) {
  for (const http::Field& field : head.fields)
    if (!is_replaced_in_reply(field.name, notes) && !http::is_hop_by_hop(head, field.name))
      fields.push_back(field);
  const bool has_length =
      notes.body.framing == http::Framing::Length ||
      (notes.body.framing == http::Framing::None && head.content_length && head.status != 204);
  if (has_length) {
    length = std::to_string(head.content_length.value_or(notes.body.length));
    fields.push_back({"content-length", length});
  }
  fields.push_back({"kelvin-request-id", notes.request_id});
  fields.push_back({"server-timing", notes.server_timing});
  if (!notes.replica.empty()) fields.push_back({"kelvin-replica", notes.replica});
  if (!notes.cold_start.empty()) fields.push_back({"kelvin-cold-start", notes.cold_start});
  if (notes.allowed_origin.empty()) return;
  fields.push_back({"access-control-allow-origin", notes.allowed_origin});
  fields.push_back({"vary", "Origin"});
}

void append_interim_head(std::string& out, const http::ResponseHead& head) {
  out += "HTTP/1.1 ";
  out += std::to_string(head.status);
  out += ' ';
  out += head.reason.empty() ? http::reason_of(head.status) : head.reason;
  out += "\r\n";
  for (const http::Field& field : head.fields)
    if (!http::is_hop_by_hop(head, field.name)) http::append_field(out, field.name, field.value);
  out += "\r\n";
}

std::string timing_text(const std::vector<model::StageTime>& stages, std::optional<Duration> ttfb) {
  std::string text;
  for (const model::StageTime& stage : stages)
    append_stage(text, model::to_text(stage.phase), stage.time);
  if (ttfb) append_stage(text, "ttfb", *ttfb);
  return text;
}

}  // namespace kelvin::gateway
