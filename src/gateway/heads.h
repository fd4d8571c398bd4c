// heads: how a request's head changes on its way to a replica, and a reply's on its way back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"
#include "model/effect.h"

namespace kelvin::gateway {

// How a body is sent on: its length, chunks, or (to an HTTP/1.0 client) up to the end of the connection.
struct BodyOut {
  http::Framing framing = http::Framing::None;
  std::uint64_t length = 0;
  bool operator==(const BodyOut&) const = default;
};

struct Forwarding {
  std::string_view path;
  std::string_view prefix;          // taken off the path; said in X-Forwarded-Prefix when not empty
  std::string_view client_address;  // "127.0.0.1" or "::1"
  std::string_view request_id;
  std::string_view upgrade;      // the protocol that the client wants to switch to; empty: none
  std::string_view traceparent;  // instead of the client's; empty: what the client sent passes
  bool restarts_trace = false;   // the client's tracestate belongs to no trace
  BodyOut body;
  bool is_secure = false;              // it came over TLS
  bool removes_authorization = false;  // the key was ours
  bool passes_expect = false;          // the replica itself says 100 Continue
  bool wants_plain_reply = false;      // not compressed, whatever the client accepts
};
// What the client says about hops before it (Forwarded, X-Forwarded-*) is dropped: it is a stranger.
void append_forwarded_head(std::string& out, const http::RequestHead& head,
                           const Forwarding& forwarding);

struct ReplyNotes {
  std::string_view request_id;
  std::string_view server_timing;
  std::string_view replica;         // by which it can be asked for again; empty: none
  std::string_view cold_start;      // "cold", "parked", or empty
  std::string_view allowed_origin;  // of a cross-origin request that cors allows, or empty
  BodyOut body;
  bool closes = false;
  bool says_keep_alive = false;  // HTTP/1.0 clients must be told
};
// The same head as fields, with no framing but the length, whose text is kept in `length`. The views live as long as
// it, `head` and `notes`.
void append_reply_fields(std::vector<http::Field>& fields, std::string& length,
                         const http::ResponseHead& head, const ReplyNotes& notes);
void append_reply_head(std::string& out, const http::ResponseHead& head, const ReplyNotes& notes);
// An interim (1xx) reply, passed on.
void append_interim_head(std::string& out, const http::ResponseHead& head);

// "queue;dur=0.210, start;dur=12.000, ttfb;dur=3.141"; absent ttfb: no byte came.
[[nodiscard]] std::string timing_text(const std::vector<model::StageTime>& stages,
                                      std::optional<Duration> ttfb);

}  // namespace kelvin::gateway
