// note: what the platform writes beside the keeper's record of a replica, to know it again after its own death.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/replica.h"

namespace kelvin::cluster::local {

struct Note {
  ReplicaId replica;
  RevisionId revision;
  AppId app;
  model::Lease lease;
  std::uint32_t slot = 0;
  std::uint16_t port = 0;
  bool has_fixed_port = false;
  Instant created;
  Bytes memory_limit{};    // 0: none
  std::string ready_path;  // empty: the port accepts
  std::string alive_path;  // empty: not asked
};

std::string encode(const Note& note);
// Invalid when the text is no note of this version.
Result<Note> decode_note(std::string_view text);

}  // namespace kelvin::cluster::local
