// request_facts: everything that is known of a request at its end, for whoever counts, logs or traces it.
//
// A request leaves two notes. HeadNote is taken when its head has been read and lives with it; RequestFacts is put together
// once, at its end, and given to the loop's Notary (notary.h), which alone knows who wants what.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/id.h"
#include "base/time.h"
#include "gateway/routes.h"
#include "gateway/trace_context.h"
#include "model/effect.h"

namespace kelvin::gateway {

// Text of bounded length in place; what does not fit is cut off at a character's first byte.
template <std::size_t N>
class ShortText {
 public:
  void assign(std::string_view text) {
    is_cut_ = text.size() > N;
    std::size_t size = is_cut_ ? N : text.size();
    while (is_cut_ && size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0U) == 0x80) --size;
    std::copy_n(text.data(), size, bytes_.data());
    size_ = static_cast<std::uint16_t>(size);
  }
  [[nodiscard]] std::string_view view() const { return {bytes_.data(), size_}; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] bool is_cut() const { return is_cut_; }

 private:
  static_assert(N < 65536);
  std::uint16_t size_ = 0;
  bool is_cut_ = false;
  std::array<char, N> bytes_{};
};

// By which way a request came: the closed set behind the label "route" of metrics.
enum class RouteLabel : std::uint8_t {
  Proxy,  // an app by its host name or path
  ChatCompletions,
  Completions,
  Embeddings,
  Models,
  OpenAiOther,
  Management,  // over TLS or HTTP/2; plain connections are handed over, and not heard of again
  None,        // it reached no surface: malformed, a foreign host, no such path
};
constexpr std::size_t kRouteLabels = 8;
[[nodiscard]] std::string_view to_text(RouteLabel label);  // "v1/chat/completions"
// Of a request under /v1, by its path with or without a query.
[[nodiscard]] RouteLabel openai_label(std::string_view path);

enum class HttpVersion : std::uint8_t { Http10, Http11, Http2 };
[[nodiscard]] std::string_view to_text(HttpVersion version);  // "HTTP/1.1"

enum class Ending : std::uint8_t {
  Replied,     // the replica's reply came whole
  Answered,    // by the gateway itself: a refusal, a list of models
  Broken,      // the replica's reply broke off after its head
  ClientLeft,  // before its reply was whole
};
[[nodiscard]] std::string_view to_text(Ending ending);  // "replied"

// Filled by Notary::note_head, and by the connection for the fields below the line.
struct HeadNote {
  ShortText<16> method;  // empty: nobody will ask
  ShortText<256> path;   // as sent; without its query unless the log keeps queries
  RequestTrace trace;
  // ---
  ShortText<8> key_prefix;  // the public part of the key that was shown and is known
  HttpVersion version = HttpVersion::Http11;
  bool is_tls = false;
};

// Views are good during the call. A moment that never came is Instant{}.
struct RequestFacts {
  RequestId id;
  const HeadNote* head = nullptr;  // never null
  const AppRoute* app = nullptr;   // null: no app was found
  RouteLabel route = RouteLabel::None;
  std::string_view client_address;
  ReplicaId replica;           // 0: it reached none
  std::uint32_t revision = 0;  // the number that people see, as in gemma@3; 0 with no replica
  int status = 0;              // 499 with ClientLeft: before any head but that of comments
  Ending ending = Ending::Replied;
  std::string_view code;  // of a refusal: "queue_full"
  model::Temperature woke_from = model::Temperature::Warm;
  std::span<const model::StageTime> stages;  // of its waiting, from its arrival on
  Instant arrived;                           // its head was complete
  Instant dispatched;                        // it had a slot
  Instant first_byte_sent;                   // to the replica
  Instant first_byte_read;                   // the head of the reply
  Instant last_byte_read;                    // the replica was done with it, or given up
  Instant ended;
  std::uint64_t request_bytes = 0;  // of the body, sent to the replica
  std::uint64_t reply_bytes = 0;    // of the body, from the replica
};

// Stands in the log for a request whose client left before it got a head; one that only carries comments is none.
constexpr int kClientLeftStatus = 499;
// Where a status is counted: [n] for nxx, [0] for a client that left before a head.
[[nodiscard]] std::size_t status_class(int status);

// From its arrival to its slot; for one that never had one, to its end.
[[nodiscard]] Duration queue_time(const RequestFacts& facts);
// From its arrival to the first byte of its reply; of one without a reply from a replica, to its end.
[[nodiscard]] Duration first_byte_time(const RequestFacts& facts);

// The same, owned: what crosses to the threads that write.
struct RequestRecord {
  RequestId id;
  HeadNote head;
  ShortText<64> app;  // empty: none
  ShortText<64> workspace;
  RouteLabel route = RouteLabel::None;
  ShortText<46> client_address;
  ReplicaId replica;
  std::uint32_t revision = 0;
  int status = 0;
  Ending ending = Ending::Replied;
  ShortText<40> code;
  model::Temperature woke_from = model::Temperature::Warm;
  std::array<model::StageTime, 8> stages{};
  std::uint8_t stage_count = 0;
  Instant arrived;
  Instant dispatched;
  Instant first_byte_sent;
  Instant first_byte_read;
  Instant last_byte_read;
  Instant ended;
  std::uint64_t request_bytes = 0;
  std::uint64_t reply_bytes = 0;
  Duration queued{};
  Duration to_first_byte{};

  void assign(const RequestFacts& facts);
};

}  // namespace kelvin::gateway
