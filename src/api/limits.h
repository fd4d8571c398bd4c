// limits: how much of anything the management API takes on, and what it answers beyond.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/time.h"

namespace kelvin::api {

struct Limits {
  std::size_t threads = 16;
  std::size_t connections_waiting_max = 64;  // beyond: 503 with Retry-After
  std::uint32_t followers_max =
      8;  // log streams that stay open; beyond: 503. Leaves threads for the rest
  std::size_t keys_max = 1000;         // beyond: 409
  std::size_t decisions_max = 10'000;  // entries in one answer
  std::uint32_t replicas_max = 1000;   // of one app, set by hand; the same as in an app file
  Bytes body_max = 64_KiB;             // of a post; beyond: 413
  Bytes deploy_max = 4_MiB;            // of a deploy; beyond: 413
  Bytes content_max = 512_GiB;         // of one file; beyond: 413
  Duration head_time_max = 10s;        // for the whole head; beyond: 408
  Duration silence_max = 30s;          // while a body or reply moves; beyond: the connection ends
  Duration collect_again_after = 5s;   // content of a deleted app whose replicas still stop
  Duration farewell_max =
      1s;  // to take in what a refused client still sends, so that it reads the refusal
};

}  // namespace kelvin::api
