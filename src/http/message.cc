// message: the strict head parser and the chunk follower.
//
// A head is read line by line: the end of a line is found with memchr, must be CR LF, and no other
// control byte may stand in it. Every byte is looked up once in a table of classes.
#include "http/message.h"

#include <array>
#include <cstring>

namespace kelvin::http {
namespace {

enum : std::uint8_t { kToken = 1, kValue = 2, kTarget = 4, kHost = 8 };

constexpr bool is_alpha(unsigned c) { return (c | 32U) >= 'a' && (c | 32U) <= 'z'; }
constexpr bool is_digit(unsigned c) { return c >= '0' && c <= '9'; }

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  constexpr std::string_view token_marks = "!#$%&'*+-.^_`|~";
  for (unsigned c = 0; c < 256; ++c) {
    const char as_char = static_cast<char>(c);
    unsigned of_byte = 0;
    if (is_alpha(c) || is_digit(c) || token_marks.find(as_char) != std::string_view::npos)
      of_byte |= kToken;
    if (c == '\t' || (c >= 0x20 && c != 0x7f)) of_byte |= kValue;
    if (c > 0x20 && c < 0x7f && c != '#') of_byte |= kTarget;
    if (is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~')
      of_byte |= kHost;
    classes[c] = static_cast<std::uint8_t>(of_byte);
  }
  return classes;
}
constexpr auto kClasses = make_classes();

bool is_of(char c, std::uint8_t cls) {
  return (kClasses[static_cast<unsigned char>(c)] & cls) != 0;
}
bool all_of(std::string_view text, std::uint8_t cls) {
  unsigned together = cls;
  for (const char c : text) together &= kClasses[static_cast<unsigned char>(c)];
  return together != 0;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

constexpr Outcome kNeedMore{};
constexpr Outcome kDone{.parsed = Parsed::Done};
Outcome refuse(std::uint16_t status, std::string_view why) {
  return {.parsed = Parsed::Refused, .status = status, .why = why};
}

// One line without its CR LF. `next` is where the following line begins.
struct Line {
  Outcome outcome;
  std::string_view text;
  std::size_t next = 0;
};
Line line_at(std::string_view bytes, std::size_t from, std::size_t head_bytes_max) {
  const void* found = std::memchr(bytes.data() + from, '\n', bytes.size() - from);
  if (found == nullptr) {
    if (bytes.size() >= head_bytes_max)
      return {refuse(431, "The head of the message is too long."), {}, 0};
    return {kNeedMore, {}, 0};
  }
  const auto at = static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data());
  if (at + 1 > head_bytes_max) return {refuse(431, "The head of the message is too long."), {}, 0};
  if (at == from || bytes[at - 1] != '\r')
    return {refuse(400, "A line of the head ends without a carriage return."), {}, 0};
  return {kDone, bytes.substr(from, at - 1 - from), at + 1};
}

// Fields that decide about framing and may come only once.
struct Seen {
  bool content_length = false;
  bool transfer_encoding = false;
  bool host = false;
  bool upgrade = false;
  bool says_close = false;
  bool says_keep_alive = false;
  bool says_upgrade = false;
};

Outcome read_content_length(std::string_view value, Head& head) {
  head.content_length = read_length(value);
  if (head.content_length) return kDone;
  return refuse(400, "Content-Length is not a plain decimal number.");
}

Outcome read_transfer_encoding(std::string_view value, Head& head) {
  head.is_chunked = same_name(value, "chunked");
  if (head.is_chunked) return kDone;
  const std::size_t comma = value.rfind(',');
  const bool ends_chunked =
      comma != std::string_view::npos && same_name(trim(value.substr(comma + 1)), "chunked");
  if (!ends_chunked) return refuse(400, "The last transfer coding is not chunked.");
  if (list_has(value.substr(0, comma), "chunked"))
    return refuse(400, "The transfer coding chunked is named twice.");
  return refuse(501, "No transfer coding but chunked is known here.");
}

// What the fields say about framing and the connection; the names are compared by length first.
Outcome note_field(const Field& field, Head& head, Seen& seen) {
  switch (field.name.size()) {
    case 7:
      if (same_name(field.name, "upgrade")) seen.upgrade = true;
      break;
    case 10:
      if (!same_name(field.name, "connection")) break;
      seen.says_close |= list_has(field.value, "close");
      seen.says_keep_alive |= list_has(field.value, "keep-alive");
      seen.says_upgrade |= list_has(field.value, "upgrade");
      break;
    case 14:
      if (!same_name(field.name, "content-length")) break;
      if (seen.content_length) return refuse(400, "Content-Length is given more than once.");
      seen.content_length = true;
      return read_content_length(field.value, head);
    case 17:
      if (!same_name(field.name, "transfer-encoding")) break;
      if (seen.transfer_encoding) return refuse(400, "Transfer-Encoding is given more than once.");
      seen.transfer_encoding = true;
      return read_transfer_encoding(field.value, head);
    default:
      break;
  }
  return kDone;
}

Outcome read_field(std::string_view line, Field& field) {
  if (line.front() == ' ' || line.front() == '\t')
    return refuse(400, "A header field is folded over several lines.");
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return refuse(400, "A header field has no colon.");
  field.name = line.substr(0, colon);
  if (field.name.empty() || !all_of(field.name, kToken))
    return refuse(400, "A header field's name holds a character that may not stand there.");
  const std::string_view raw = line.substr(colon + 1);
  if (!all_of(raw, kValue)) return refuse(400, "A header field's value holds a control byte.");
  field.value = trim(raw);
  return kDone;
}

// What a head is read from: `from` is where its first field begins.
struct Source {
  std::string_view bytes;
  const Limits& limits;
  std::size_t from = 0;
};

// All fields up to the empty line; sets head.bytes.
Outcome read_fields(const Source& source, Head& head, Seen& seen) {
  std::size_t from = source.from;
  for (;;) {
    const Line line = line_at(source.bytes, from, source.limits.head_bytes_max);
    if (line.outcome.parsed != Parsed::Done) return line.outcome;
    from = line.next;
    if (line.text.empty()) break;
    if (head.fields.size() == source.limits.fields_max)
      return refuse(431, "The message has too many header fields.");
    Field field;
    if (const Outcome read = read_field(line.text, field); read.parsed != Parsed::Done) return read;
    if (const Outcome noted = note_field(field, head, seen); noted.parsed != Parsed::Done)
      return noted;
    head.fields.push_back(field);
  }
  head.bytes = from;
  if (seen.content_length && seen.transfer_encoding)
    return refuse(400, "Content-Length stands beside Transfer-Encoding.");
  head.upgrades = seen.says_upgrade && seen.upgrade;
  return kDone;
}

void reset(Head& head) {
  head.fields.clear();
  head.content_length.reset();
  head.is_chunked = false;
  head.keeps_alive = true;
  head.upgrades = false;
  head.bytes = 0;
}

bool is_port(std::string_view text) {
  if (text.size() > 5) return false;
  unsigned port = 0;
  for (const char c : text) {
    if (!is_digit(static_cast<unsigned char>(c))) return false;
    port = port * 10 + static_cast<unsigned>(c - '0');
  }
  return port <= 65535;
}

Outcome read_request_line(std::string_view line, const Limits& limits, RequestHead& head) {
  const std::size_t first = line.find(' ');
  if (first == std::string_view::npos || first == 0 || first > 32 ||
      !all_of(line.substr(0, first), kToken))
    return refuse(400, "The request line does not begin with a method.");
  head.method = line.substr(0, first);
  const std::size_t second = line.find(' ', first + 1);
  if (second == std::string_view::npos) return refuse(400, "The request line has no version.");
  head.target = line.substr(first + 1, second - first - 1);
  if (head.target.size() > limits.target_bytes_max)
    return refuse(414, "The request's target is too long.");
  if (head.target.empty() || !all_of(head.target, kTarget))
    return refuse(400, "The request's target holds a character that may not stand there.");
  const std::string_view version = line.substr(second + 1);
  if (version.size() != 8 || !version.starts_with("HTTP/") || version[6] != '.' ||
      !is_digit(static_cast<unsigned char>(version[5])) ||
      !is_digit(static_cast<unsigned char>(version[7])))
    return refuse(400, "The request line does not end with a version.");
  if (version[5] != '1' || version[7] > '1')
    return refuse(505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.");
  head.minor_version = version[7] - '0';
  return kDone;
}

// Finds the path in the target; an absolute target must name the same host as the Host field.
Outcome read_target(RequestHead& head) {
  const std::string_view target = head.target;
  if (head.method == "CONNECT") return refuse(501, "CONNECT is not served here.");
  if (target.front() == '/') {
    head.path = target;
    return kDone;
  }
  if (target == "*") {
    head.path = target;
    if (head.method == "OPTIONS") return kDone;
    return refuse(400, "The target * belongs to OPTIONS only.");
  }
  const std::size_t mark = target.find("://");
  if (mark == std::string_view::npos ||
      (!same_name(target.substr(0, mark), "http") && !same_name(target.substr(0, mark), "https")))
    return refuse(400, "The request's target is neither a path nor an http address.");
  const std::string_view rest = target.substr(mark + 3);
  const std::size_t end = rest.find_first_of("/?");
  const std::string_view authority = rest.substr(0, end);
  if (authority.empty() || !is_host(authority))
    return refuse(400, "The host in the request's target is not one.");
  if (!same_name(authority, head.host))
    return refuse(400, "The request's target and its Host field name different hosts.");
  if (end == std::string_view::npos) {
    head.path = "/";
  } else if (rest[end] == '?') {
    return refuse(400, "The request's target has a query but no path.");
  } else {
    head.path = rest.substr(end);
  }
  return kDone;
}

Outcome read_host_and_expect(RequestHead& head) {
  bool has_host = false;
  for (const Field& field : head.fields) {
    if (field.name.size() == 4 && same_name(field.name, "host")) {
      if (has_host) return refuse(400, "Host is given more than once.");
      has_host = true;
      head.host = field.value;
      if (!is_host(head.host)) return refuse(400, "The Host field does not hold a host.");
    } else if (field.name.size() == 6 && same_name(field.name, "expect")) {
      if (!same_name(field.value, "100-continue"))
        return refuse(417, "No expectation but 100-continue is known here.");
      head.expects_continue = head.minor_version >= 1;
    }
  }
  if (!has_host && head.minor_version >= 1) return refuse(400, "The Host field is missing.");
  return kDone;
}

// The status line: the reason may be missing together with the space before it.
Outcome read_status_line(std::string_view line, ResponseHead& head) {
  if (line.size() < 12 || !line.starts_with("HTTP/1.") || (line[7] != '0' && line[7] != '1') ||
      line[8] != ' ' || (line.size() > 12 && line[12] != ' '))
    return refuse(502, "The reply does not begin with an HTTP/1 status line.");
  head.minor_version = line[7] - '0';
  head.status = 0;
  for (const char c : line.substr(9, 3)) {
    if (!is_digit(static_cast<unsigned char>(c)))
      return refuse(502, "The reply's status is not a number.");
    head.status = head.status * 10 + (c - '0');
  }
  if (head.status < 100 || head.status > 599)
    return refuse(502, "The reply's status is not between 100 and 599.");
  head.reason = line.size() > 13 ? line.substr(13) : std::string_view();
  if (!all_of(head.reason, kValue))
    return refuse(502, "The reply's status line holds a control byte.");
  return kDone;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char l = lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

}  // namespace

const Field* Head::find(std::string_view name) const {
  for (const Field& field : fields)
    if (same_name(field.name, name)) return &field;
  return nullptr;
}

Outcome parse_request(std::string_view bytes, const Limits& limits, RequestHead& head) {
  reset(head);
  head.host = {};
  head.expects_continue = false;
  const std::size_t skipped = bytes.starts_with("\r\n") ? 2 : 0;
  const Line line = line_at(bytes, skipped, limits.head_bytes_max);
  if (line.outcome.parsed == Parsed::NeedMore) {
    // A first byte that can begin no method is refused at once: a TLS client would wait for ever.
    const bool is_odd =
        bytes.size() > skipped && bytes[skipped] != '\r' && !is_of(bytes[skipped], kToken);
    return is_odd ? refuse(400, "The request line does not begin with a method.") : kNeedMore;
  }
  if (line.outcome.parsed == Parsed::Refused) return line.outcome;
  if (const Outcome read = read_request_line(line.text, limits, head); read.parsed != Parsed::Done)
    return read;
  Seen seen;
  if (const Outcome read = read_fields({bytes, limits, line.next}, head, seen);
      read.parsed != Parsed::Done)
    return read;
  if (head.is_chunked && head.minor_version == 0)
    return refuse(400, "HTTP/1.0 knows no Transfer-Encoding.");
  if (const Outcome read = read_host_and_expect(head); read.parsed != Parsed::Done) return read;
  head.keeps_alive = !seen.says_close && (head.minor_version >= 1 || seen.says_keep_alive);
  return read_target(head);
}

Outcome parse_response(std::string_view bytes, const Limits& limits, ResponseHead& head) {
  reset(head);
  head.reason = {};
  const auto as_upstream = [](Outcome outcome) {
    outcome.status = 502;
    return outcome;
  };
  const Line line = line_at(bytes, 0, limits.head_bytes_max);
  if (line.outcome.parsed != Parsed::Done) return as_upstream(line.outcome);
  if (const Outcome read = read_status_line(line.text, head); read.parsed != Parsed::Done)
    return read;
  Seen seen;
  if (const Outcome read = read_fields({bytes, limits, line.next}, head, seen);
      read.parsed != Parsed::Done)
    return as_upstream(read);
  if (head.is_chunked && head.minor_version == 0)
    return refuse(502, "HTTP/1.0 knows no Transfer-Encoding.");
  head.keeps_alive = !seen.says_close && (head.minor_version >= 1 || seen.says_keep_alive);
  return kDone;
}

Framing framing_of(const RequestHead& head) {
  if (head.is_chunked) return Framing::Chunked;
  return head.content_length.value_or(0) > 0 ? Framing::Length : Framing::None;
}

Framing framing_of(const ResponseHead& head, std::string_view method) {
  if (head.status < 200 || head.status == 204 || head.status == 304 || method == "HEAD")
    return Framing::None;
  if (head.is_chunked) return Framing::Chunked;
  if (!head.content_length) return Framing::UntilClose;
  return *head.content_length > 0 ? Framing::Length : Framing::None;
}

namespace {
constexpr std::uint32_t kExtensionBytesMax = 1024;
constexpr std::size_t kTrailerBytesMax = 8 * 1024;
constexpr std::size_t kTrailersMax = 128;

// What may not stand behind a body, by the group of RFC 9110 6.5.1 that it belongs to.
constexpr std::string_view kNoTrailers[] = {
    // framing and routing
    "content-length", "transfer-encoding", "host", "trailer", "max-forwards", "expect", "via",
    "forwarded", "x-real-ip", "traceparent", "tracestate",
    // one hop
    "connection", "keep-alive", "proxy-connection", "te", "upgrade", "http2-settings",
    // who is calling
    "authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate",
    "authentication-info", "proxy-authentication-info", "cookie", "set-cookie", "origin",
    // modifiers of the request and controls of the reply
    "cache-control", "pragma", "range", "if-match", "if-none-match", "if-modified-since",
    "if-unmodified-since", "if-range", "age", "date", "expires", "location", "retry-after", "vary",
    "warning", "allow", "prefer",
    // what the content is
    "content-encoding", "content-type", "content-range", "content-disposition", "content-location",
    // promises that a browser keeps for later
    "strict-transport-security", "alt-svc", "clear-site-data"};
// Whole families of them.
constexpr std::string_view kNoTrailerPrefixes[] = {"x-forwarded-", "kelvin-", "access-control-",
                                                   "content-security-policy", "sec-"};

char as_trailer_letter(char c) { return c == '_' ? '-' : lower(c); }
bool begins_like(std::string_view name, std::string_view lower_prefix) {
  if (name.size() < lower_prefix.size()) return false;
  for (std::size_t i = 0; i < lower_prefix.size(); ++i)
    if (as_trailer_letter(name[i]) != lower_prefix[i]) return false;
  return true;
}
}  // namespace

bool may_be_trailer(std::string_view name) {
  for (const std::string_view banned : kNoTrailers)
    if (banned.size() == name.size() && begins_like(name, banned)) return false;
  for (const std::string_view family : kNoTrailerPrefixes)
    if (begins_like(name, family)) return false;
  return true;
}

// Takes one byte outside the payload; returns a sentence when it may not stand there, else nothing.
std::string_view ChunkReader::read_framing(char byte) {
  switch (where_) {
    case Where::Size: {
      const int value = hex_value(byte);
      if (value >= 0) {
        if (++digits_ > 15) return "A chunk's size is too large.";
        left_ = left_ * 16 + static_cast<std::uint64_t>(value);
        return {};
      }
      if (digits_ == 0 || (byte != ';' && byte != '\r'))
        return "A chunk's size is not a hexadecimal number.";
      where_ = byte == ';' ? Where::SizeExtension : Where::SizeEnd;
      return {};
    }
    case Where::SizeExtension:
      if (byte == '\r') {
        where_ = Where::SizeEnd;
        return {};
      }
      if (!is_of(byte, kValue)) return "A chunk's extension holds a control byte.";
      return ++extra_bytes_ > kExtensionBytesMax ? "A chunk's extensions are too long."
                                                 : std::string_view();
    case Where::SizeEnd:
      if (byte != '\n') return "A chunk's size is followed by a bare carriage return.";
      where_ = left_ == 0 ? Where::LineStart : Where::Payload;
      extra_bytes_ = 0;
      digits_ = 0;
      return {};
    case Where::PayloadEnd:
      where_ = Where::PayloadEndLf;
      return byte == '\r' ? std::string_view() : "A chunk is longer than its size says.";
    case Where::PayloadEndLf:
      where_ = Where::Size;
      return byte == '\n' ? std::string_view() : "A chunk ends with a bare carriage return.";
    case Where::LineStart:
    case Where::TrailerName:
    case Where::TrailerValue:
    case Where::TrailerLf:
      return read_trailer(byte);
    case Where::LastLf:
      where_ = Where::Done;
      return byte == '\n' ? finish_trailers() : "The body ends with a bare carriage return.";
    case Where::Payload:
    case Where::Done:
      break;
  }
  return {};
}

std::string_view ChunkReader::read_trailer(char byte) {
  switch (where_) {
    case Where::LineStart:
      if (byte == '\r') {
        where_ = Where::LastLf;
        return {};
      }
      where_ = Where::TrailerName;
      return is_of(byte, kToken) ? keep_trailer(byte)
                                 : "A trailer field does not begin with its name.";
    case Where::TrailerName:
      if (byte == ':')
        where_ = Where::TrailerValue;
      else if (!is_of(byte, kToken))
        return "A trailer field's name holds a character that may not stand there.";
      return keep_trailer(byte);
    case Where::TrailerValue:
      if (byte == '\r')
        where_ = Where::TrailerLf;
      else if (!is_of(byte, kValue))
        return "A trailer field's value holds a control byte.";
      return keep_trailer(byte);
    case Where::TrailerLf:
      where_ = Where::LineStart;
      return byte == '\n' ? keep_trailer(byte)
                          : "A trailer field ends with a bare carriage return.";
    case Where::Size:
    case Where::SizeExtension:
    case Where::SizeEnd:
    case Where::Payload:
    case Where::PayloadEnd:
    case Where::PayloadEndLf:
    case Where::LastLf:
    case Where::Done:
      break;
  }
  return {};
}

std::string_view ChunkReader::keep_trailer(char byte) {
  if (!trailers_) trailers_ = std::make_unique<Trailers>();
  if (trailers_->text.size() == kTrailerBytesMax) return "The trailers are too long.";
  trailers_->text.push_back(byte);
  return {};
}

// Every line was held to its form as it came in: a name, a colon, a value, CR LF.
std::string_view ChunkReader::finish_trailers() {
  if (!trailers_) return {};
  std::size_t count = 0;
  for (std::string_view rest = trailers_->text; !rest.empty();) {
    if (++count > kTrailersMax) return "The body has too many trailer fields.";
    const std::string_view line = rest.substr(0, rest.find('\r'));
    rest.remove_prefix(line.size() + 2);
    const std::size_t colon = line.find(':');
    const Field field{.name = line.substr(0, colon), .value = trim(line.substr(colon + 1))};
    if (may_be_trailer(field.name)) trailers_->fields.push_back(field);
  }
  return {};
}

std::span<const Field> ChunkReader::trailers() const {
  if (where_ != Where::Done || !trailers_) return {};
  return trailers_->fields;
}

ChunkReader::Step ChunkReader::feed(std::string_view bytes) {
  Step step;
  while (step.consumed < bytes.size() && where_ != Where::Done) {
    if (where_ == Where::Payload) {
      const std::uint64_t there = bytes.size() - step.consumed;
      const auto taken = static_cast<std::size_t>(left_ < there ? left_ : there);
      step.payload = bytes.substr(step.consumed, taken);
      step.consumed += taken;
      left_ -= taken;
      if (left_ == 0) where_ = Where::PayloadEnd;
      return step;
    }
    step.why = read_framing(bytes[step.consumed]);
    if (!step.why.empty()) {
      step.parsed = Parsed::Refused;
      return step;
    }
    ++step.consumed;
  }
  if (where_ == Where::Done) step.parsed = Parsed::Done;
  return step;
}

bool same_name(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (lower(a[i]) != lower(b[i])) return false;
  return true;
}

bool list_has(std::string_view list, std::string_view token) {
  for (;;) {
    const std::size_t comma = list.find(',');
    if (same_name(trim(list.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
}

bool is_token(std::string_view text) { return !text.empty() && all_of(text, kToken); }
bool is_target(std::string_view text) { return !text.empty() && all_of(text, kTarget); }
bool is_field_value(std::string_view text) { return all_of(text, kValue); }

bool is_host(std::string_view host) {
  if (!host.empty() && host.front() == '[') {
    const std::size_t end = host.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    for (const char c : host.substr(1, end - 1)) {
      const auto byte = static_cast<unsigned char>(c);
      const bool is_hex = is_digit(byte) || (lower(c) >= 'a' && lower(c) <= 'f');
      if (!is_hex && c != ':' && c != '.') return false;
    }
    const std::string_view rest = host.substr(end + 1);
    return rest.empty() || (rest.front() == ':' && is_port(rest.substr(1)));
  }
  const std::size_t colon = host.find(':');
  if (colon == 0) return false;
  if (colon == std::string_view::npos) return all_of(host, kHost);
  return all_of(host.substr(0, colon), kHost) && is_port(host.substr(colon + 1));
}

std::optional<std::uint64_t> read_length(std::string_view text) {
  if (text.empty() || text.size() > 18 || (text.size() > 1 && text.front() == '0'))
    return std::nullopt;
  std::uint64_t length = 0;
  for (const char c : text) {
    if (!is_digit(static_cast<unsigned char>(c))) return std::nullopt;
    length = length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return length;
}

std::string_view host_name_of(std::string_view host) {
  const std::size_t from = !host.empty() && host.front() == '[' ? host.find(']') : 0;
  if (from == std::string_view::npos) return host;
  return host.substr(0, host.find(':', from));
}

std::optional<std::string> decode_path(std::string_view path) {
  std::string decoded;
  decoded.reserve(path.size());
  for (std::size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (c == '%') {
      if (path.size() - i < 3) return std::nullopt;
      const int high = hex_value(path[i + 1]);
      const int low = hex_value(path[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (c == '\0') return std::nullopt;
    decoded.push_back(c);
  }
  return decoded;
}

namespace {
struct Phrase {
  int status;
  std::string_view text;
};
constexpr Phrase kPhrases[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};
}  // namespace

std::string_view reason_of(int status) {
  for (const Phrase& phrase : kPhrases)
    if (phrase.status == status) return phrase.text;
  return "Unknown";
}

}  // namespace kelvin::http
