// ids: how identities are written for people.
//
// A replica's id holds the platform's epoch (it grows by one at every start of `kelvin serve`) and a counter, so that
// no id is ever used twice on one data folder. "r3-17" is the 17th replica of the third start.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/id.h"

namespace kelvin::model {

constexpr unsigned kReplicaCounterBits = 40;  // epoch above, counter below
constexpr unsigned kRequestCounterBits =
    44;  // epoch above; 4 bits of gateway loop, 40 of counter below

constexpr ReplicaId make_replica_id(std::uint64_t epoch, std::uint64_t counter) {
  return {(epoch << kReplicaCounterBits) | counter};
}
constexpr RequestId make_request_id(std::uint64_t epoch, std::uint64_t loop,
                                    std::uint64_t counter) {
  return {(epoch << kRequestCounterBits) | (loop << 40) | counter};
}

std::string to_text(ReplicaId id);  // "r3-17"
std::string to_text(RequestId id);  // "q3-1-902": epoch, gateway loop, counter
std::optional<ReplicaId> parse_replica_id(std::string_view text);
std::optional<RequestId> parse_request_id(std::string_view text);

}  // namespace kelvin::model
