// admit: may this request enter, must it wait, or is it refused, and with which words.
//
// The gateway calls admit() once per request, when it has the head (under /v1: the head and the
// body, because the body names the app), and again with `now` set whenever it wants to know whether
// waiting still makes sense. The order of the checks is part of the contract: key, origin, app,
// body, deadline, queue. A caller without a valid key therefore learns nothing about which apps
// exist.
//
//   who calls                         no key            "kv_..." unknown   known, no invoke another
//   bearer app routes, listening on loopback enters            401                403 enters
//   (passed on) app routes, listening elsewhere   401               401                403 401 /v1,
//   listening on loopback        enters            401                403                401 /v1,
//   listening elsewhere          401               401                403                401
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/time.h"
#include "model/key.h"
#include "model/route.h"

namespace kelvin::admit {

enum class Surface : std::uint8_t { App, OpenAi };

// What the Authorization field held.
enum class Presented : std::uint8_t {
  Nothing,  // no bearer
  NotOurs,  // a bearer that does not begin with "kv_"
  Unknown,  // begins with "kv_", but no such key exists
  Known,
};

struct Caller {
  bool is_on_loopback = true;  // the platform listens on loopback only
  Presented presented = Presented::Nothing;
  model::Scopes scopes;        // of a known key
  std::string_view workspace;  // of a known key
  std::string_view origin;     // the Origin field; empty: none
  std::string_view host;       // the Host field
};

struct Question {
  Surface surface = Surface::App;
  Caller caller;
  std::string_view name;                // of the app, as the request gave it
  const model::Route* route = nullptr;  // null: no such app
  std::uint64_t body_bytes =
      0;  // as far as known: Content-Length, or what was read of a chunked body
  Bytes body_max{std::numeric_limits<std::uint64_t>::max()};   // of one request: 413 beyond
  Bytes body_room{std::numeric_limits<std::uint64_t>::max()};  // what the budget for held bodies
                                                               // still has: 503 beyond
  std::uint32_t waiting = 0;   // requests of the app that wait already
  bool found_no_slot = false;  // no replica had room, so it must wait whoever else does
  bool is_waiting = false;     // this one is among them
  Instant now;
  Instant wait_until = Instant::never();  // end of queue.wait for a request that waits
};

enum class Verdict : std::uint8_t {
  Enter,   // try to take a slot
  Wait,    // others wait already: queue behind them
  Refuse,  // answer with `refusal`
};

struct Answer {
  Verdict verdict = Verdict::Enter;
  bool takes_key = false;        // the bearer is ours: remove it before forwarding
  bool is_cross_origin = false;  // allowed by cors: echo the Origin in Access-Control-Allow-Origin
  model::Refusal refusal;
};

[[nodiscard]] Answer admit(const Question& question);

// Whether the origin is this very host over http or https, or none at all.
[[nodiscard]] bool is_same_origin(std::string_view origin, std::string_view host);

// Whether one of the entries is this origin or "*".
[[nodiscard]] bool is_allowed_origin(std::string_view origin, std::span<const std::string> cors);

}  // namespace kelvin::admit
