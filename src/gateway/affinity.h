// affinity: the hash by which requests that belong together go to the same replica.
//
// An app's rule names what belongs together: the value of a header, of a cookie, or the beginning of
// the prompt, whose work an engine may still have in its cache. Under /v1 the prompt is the raw JSON
// text of the body's outermost "messages", "prompt" or "input", whichever comes first; elsewhere it is
// the body itself. The hash is not secret: who makes many values collide loads one replica up to the
// bound of core/route, and no further.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "http/message.h"
#include "model/app.h"

namespace kelvin::gateway {

// The body as far as it is at hand.
struct BodyStart {
  std::string_view bytes;
  bool is_json = false;   // a JSON body under /v1, all of it
  bool is_whole = false;  // nothing follows
};

// Nothing where the app has no rule or the request lacks what it names: a header or cookie with a
// value, or a prompt. A body of which fewer bytes than the rule's are at hand has none unless it is
// whole, so that one text never has two hashes.
[[nodiscard]] std::optional<std::uint64_t> affinity_of(const model::AffinityRule& rule,
                                                       const http::RequestHead& head,
                                                       BodyStart body);

// The raw text of the outermost object's first "messages", "prompt" or "input"; empty where there is
// none. Reads any bytes; what is no JSON has none, or what looks like one.
[[nodiscard]] std::string_view find_prompt(std::string_view body);

}  // namespace kelvin::gateway
