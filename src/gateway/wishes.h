// wishes: what a request asks of the platform about its own wait, in fields that no replica sees.
//
//   Kelvin-Priority: high | normal | low
//   Kelvin-Deadline: 30s            the longest it may wait for a slot: 1ms to 24h, in ms, s, m or h
//   Kelvin-Replica: r3-17           the replica it would like, as the reply before named it
//   Kelvin-Progress: 1              comments about its wait, in front of an event stream
#pragma once

#include <optional>
#include <string_view>
#include <tl/expected.hpp>

#include "base/id.h"
#include "base/time.h"
#include "http/message.h"
#include "model/request.h"
#include "model/route.h"

namespace kelvin::gateway {

struct Wishes {
  model::Priority priority = model::Priority::Normal;
  std::optional<Duration> deadline;  // counted from the request's arrival
  ReplicaId replica;                 // 0: any
  bool progress = false;
};

// 400 with the field's name for a value that cannot be read and for a field that stands twice.
[[nodiscard]] tl::expected<Wishes, model::Refusal> read_wishes(const http::Head& head);

// Whether a field is for the platform only and is left out of what a replica gets.
[[nodiscard]] bool is_wish(std::string_view field_name);

}  // namespace kelvin::gateway
