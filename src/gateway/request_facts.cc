// request_facts: everything that is known of a request at its end.
#include "gateway/request_facts.h"

#include <algorithm>

namespace kelvin::gateway {

std::string_view to_text(RouteLabel label) {
  switch (label) {
    case RouteLabel::Proxy:
      return "proxy";
    case RouteLabel::ChatCompletions:
      return "v1/chat/completions";
    case RouteLabel::Completions:
      return "v1/completions";
    case RouteLabel::Embeddings:
      return "v1/embeddings";
    case RouteLabel::Models:
      return "v1/models";
    case RouteLabel::OpenAiOther:
      return "v1/other";
    case RouteLabel::Management:
      return "management";
    case RouteLabel::None:
      return "none";
  }
  return "none";
}

RouteLabel openai_label(std::string_view path) {
  path = path.substr(0, path.find('?'));
  if (path == "/v1/chat/completions") return RouteLabel::ChatCompletions;
  if (path == "/v1/completions") return RouteLabel::Completions;
  if (path == "/v1/embeddings") return RouteLabel::Embeddings;
  if (path == "/v1/models" || path.starts_with("/v1/models/")) return RouteLabel::Models;
  return RouteLabel::OpenAiOther;
}

std::string_view to_text(HttpVersion version) {
  switch (version) {
    case HttpVersion::Http10:
      return "HTTP/1.0";
    case HttpVersion::Http11:
      return "HTTP/1.1";
    case HttpVersion::Http2:
      return "HTTP/2";
  }
  return "HTTP/1.1";
}

std::string_view to_text(Ending ending) {
  switch (ending) {
    case Ending::Replied:
      return "replied";
    case Ending::Answered:
      return "answered";
    case Ending::Broken:
      return "broken";
    case Ending::ClientLeft:
      return "client_left";
  }
  return "replied";
}

std::size_t status_class(int status) {
  if (status == kClientLeftStatus) return 0;
  return static_cast<std::size_t>(std::clamp(status / 100, 1, 5));
}

Duration queue_time(const RequestFacts& facts) {
  const Instant until = facts.dispatched == Instant{} ? facts.ended : facts.dispatched;
  return std::max<Duration>(until - facts.arrived, Duration::zero());
}

Duration first_byte_time(const RequestFacts& facts) {
  const Instant until = facts.first_byte_read == Instant{} ? facts.ended : facts.first_byte_read;
  return std::max<Duration>(until - facts.arrived, Duration::zero());
}

void RequestRecord::assign(const RequestFacts& facts) {
  id = facts.id;
  head = *facts.head;
  app.assign(facts.app == nullptr ? std::string_view() : facts.app->route.name);
  workspace.assign(facts.app == nullptr ? std::string_view() : facts.app->route.workspace);
  route = facts.route;
  client_address.assign(facts.client_address);
  replica = facts.replica;
  revision = facts.revision;
  status = facts.status;
  ending = facts.ending;
  code.assign(facts.code);
  woke_from = facts.woke_from;
  const std::size_t count = std::min(facts.stages.size(), stages.size());
  std::copy_n(facts.stages.begin(), count, stages.begin());
  stage_count = static_cast<std::uint8_t>(count);
  arrived = facts.arrived;
  dispatched = facts.dispatched;
  first_byte_sent = facts.first_byte_sent;
  first_byte_read = facts.first_byte_read;
  last_byte_read = facts.last_byte_read;
  ended = facts.ended;
  request_bytes = facts.request_bytes;
  reply_bytes = facts.reply_bytes;
  queued = queue_time(facts);
  to_first_byte = first_byte_time(facts);
}

}  // namespace kelvin::gateway
