// message: HTTP/1.1 heads and chunked bodies, read strictly and without copying.
//
// The parser accepts what RFC 9112 says a server must accept and refuses everything that two
// implementations could read differently: bare LF, obs-fold, white space before the colon, control
// bytes, conflicting or repeated Content-Length, Content-Length beside Transfer-Encoding, any
// transfer coding but a single "chunked", a missing, empty or repeated Host, a target that names
// another host than Host, methods with small letters, repeated Authorization or Origin. Every such form
// is a row of cases/*.txt. Views point into the caller's buffer and live as long as it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kelvin::http {

struct Limits {
  std::size_t head_bytes_max = 32 * 1024;   // beyond: 431
  std::size_t fields_max = 128;             // beyond: 431
  std::size_t target_bytes_max = 8 * 1024;  // beyond: 414
};

struct Field {
  std::string_view name;
  std::string_view value;  // without surrounding white space
};

struct Head {
  std::vector<Field> fields;  // in order; reused between requests, so parsing does not allocate
  std::optional<std::uint64_t> content_length;
  bool is_chunked = false;
  bool keeps_alive = true;  // by version and Connection
  bool upgrades = false;  // Connection: upgrade with an Upgrade field; never a request of HTTP/1.0
  bool names_fields = false;  // Connection has options beside close, keep-alive, upgrade and te
  std::size_t bytes = 0;      // of the head, including the empty line

  // First field of that name, compared without regard to case; nullptr when absent.
  const Field* find(std::string_view name) const;
};

struct RequestHead : Head {
  std::string_view method;
  std::string_view target;  // as sent
  std::string_view
      path;  // the target in origin form, with its query; "*" for OPTIONS *; never empty
  std::string_view host;  // with its port, as sent; empty only where HTTP/1.0 left it out
  int minor_version = 1;
  bool expects_continue = false;
};

struct ResponseHead : Head {
  int status = 0;
  int minor_version = 1;
  std::string_view reason;
};

enum class Parsed { NeedMore, Done, Refused };
struct Outcome {
  Parsed parsed = Parsed::NeedMore;
  std::uint16_t status = 400;  // with Refused: what to answer before closing
  std::string_view why;        // with Refused: a sentence
};

// One empty line in front of the request line is skipped and counted in `head.bytes`. HTTP/1.0 may
// leave out Host.
[[nodiscard]] Outcome parse_request(std::string_view bytes, const Limits& limits,
                                    RequestHead& head);
// Interim (1xx) heads come out like any other: the caller sees them by their status.
[[nodiscard]] Outcome parse_response(std::string_view bytes, const Limits& limits,
                                     ResponseHead& head);

// How the end of a body is known.
enum class Framing : std::uint8_t { None, Length, Chunked, UntilClose };
[[nodiscard]] Framing framing_of(const RequestHead& head);
// `method`: of the request that is answered; a HEAD has no body whatever the fields of its answer
// say.
[[nodiscard]] Framing framing_of(const ResponseHead& head, std::string_view method);

// Whether a field means what it says only in a head and for everybody on the way (RFC 9110 6.5.1): it frames or routes
// the message, proves or asks who the caller is, modifies the request, controls the reply, says what the content is,
// belongs to one hop, or is one that a proxy sets (Forwarded, X-Forwarded-*, Kelvin-*). '_' reads as '-', because many
// programs see both as one name.
[[nodiscard]] bool is_for_heads_only(std::string_view name);

// Follows a chunked body without keeping it. Only the trailers are kept, until the reader is gone or used again.
class ChunkReader {
 public:
  struct Step {
    Parsed parsed = Parsed::NeedMore;  // Done: the last chunk and the trailers have been consumed
    std::size_t consumed = 0;          // bytes of the input that belong to this body
    std::string_view
        payload;  // body bytes among them, possibly empty; call again while consumed > 0
    std::string_view why;
  };
  // At most one piece of payload a call. Extensions are bounded by 1 KiB per chunk, trailers by 8
  // KiB and 128 fields; beyond: Refused.
  [[nodiscard]] Step feed(std::string_view bytes);
  // Once Done: the fields after the last chunk, in order, held to the rules of a head's fields. Those that are for
  // heads only are left out, so that what is passed on says nothing that a head would have to say. The views live as
  // long as the reader, and survive its move.
  [[nodiscard]] std::span<const Field> trailers() const;

 private:
  struct Trailers {
    std::string text;  // the lines with their ends
    std::vector<Field> fields;
  };
  enum class Where : std::uint8_t {
    Size,
    SizeExtension,
    SizeEnd,
    Payload,
    PayloadEnd,
    PayloadEndLf,
    LineStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    LastLf,
    Done
  };
  std::size_t take_plain(std::string_view bytes);
  std::string_view read_framing(char byte);
  std::string_view read_trailer(char byte);
  std::string_view keep_trailer(char byte);
  std::string_view finish_trailers();

  Where where_ = Where::Size;
  std::uint64_t left_ = 0;
  std::uint32_t digits_ = 0;
  std::uint32_t extra_bytes_ = 0;       // of the extensions in this chunk
  std::unique_ptr<Trailers> trailers_;  // made when the first one begins: few bodies have any
};

// ASCII, without regard to case.
[[nodiscard]] bool same_name(std::string_view a, std::string_view b);
// Whether a comma-separated list (Connection, TE, ...) holds the token, without regard to case.
[[nodiscard]] bool list_has(std::string_view list, std::string_view token);
// What may stand in a message, for heads that come another way than as text: a name of a field or a
// method; a target's bytes (any length but none); a value of a field; a host with or without its port
// (the empty one too); a Content-Length.
[[nodiscard]] bool is_token(std::string_view text);
[[nodiscard]] bool is_target(std::string_view text);
[[nodiscard]] bool is_field_value(std::string_view text);
[[nodiscard]] bool is_host(std::string_view text);
[[nodiscard]] std::optional<std::uint64_t> read_length(std::string_view text);
// A host without its port, for comparisons; brackets of an IPv6 literal stay.
[[nodiscard]] std::string_view host_name_of(std::string_view host);
// Percent-decodes a path part; nullopt for a bad escape or a NUL.
[[nodiscard]] std::optional<std::string> decode_path(std::string_view path);
// "Not Found"; "Unknown" for a status without a registered phrase.
[[nodiscard]] std::string_view reason_of(int status);

}  // namespace kelvin::http
