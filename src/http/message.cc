// message: the strict parser of heads.
//
// A head is read once, from the front: a name up to its colon, a value up to the first control byte,
// which must be the CR of CR LF. What the fields say about framing and the connection is noted on the
// way. A byte that may not stand where it stands is refused as soon as it is seen, also in a line
// that is not complete yet.
#include "http/message.h"

#include "http/octets.h"

namespace kelvin::http {
namespace {

// Beyond these many options a Connection field only costs time: each may name a field to leave out.
constexpr std::uint32_t kConnectionOptionsMax = 32;
constexpr std::size_t kMethodBytesMax = 32;

constexpr Outcome kNeedMore{};
constexpr Outcome kDone{.parsed = Parsed::Done};
Outcome refuse(std::uint16_t status, std::string_view why) {
  return {.parsed = Parsed::Refused, .status = status, .why = why};
}
bool is_done(const Outcome& outcome) { return outcome.parsed == Parsed::Done; }

// What a head is read from, and where in it the reader stands.
struct Source {
  std::string_view bytes;
  const Limits& limits;
  std::size_t at = 0;

  // What has come is good so far, and not all.
  Outcome need_more() const {
    if (bytes.size() < limits.head_bytes_max) return kNeedMore;
    return refuse(431, "The head of the message is too long.");
  }
};

// Why no line ends at `end`, where its first odd byte stands or the text ends.
Outcome refuse_line(const Source& source, std::size_t end) {
  const std::string_view bytes = source.bytes;
  if (end == bytes.size()) return source.need_more();
  if (bytes[end] == '\n') return refuse(400, "A line of the head ends without a carriage return.");
  if (bytes[end] != '\r') return refuse(400, "A line of the head holds a control byte.");
  if (end + 1 == bytes.size()) return source.need_more();
  if (bytes[end + 1] != '\n')
    return refuse(400, "A line of the head holds a bare carriage return.");
  return refuse(431, "The head of the message is too long.");
}

// `end`: where a line's text ended. Steps over the CR LF that must stand there.
Outcome step_over_line_end(Source& source, std::size_t end) {
  const std::string_view bytes = source.bytes;
  const bool is_end = end + 2 <= bytes.size() && bytes[end] == '\r' && bytes[end + 1] == '\n';
  if (!is_end || end + 2 > source.limits.head_bytes_max) return refuse_line(source, end);
  source.at = end + 2;
  return kDone;
}

// What the fields said that bears on the whole message. The reader looks at a field's name once.
struct Notes {
  bool content_length = false;
  bool transfer_encoding = false;
  bool host = false;
  bool expect = false;
  bool authorization = false;
  bool origin = false;
  bool upgrade = false;
  bool says_close = false;
  bool says_keep_alive = false;
  bool says_upgrade = false;
  std::uint32_t connection_options = 0;
  std::string_view host_text;
  // In a request, the complaint about a field that may come only once there and came again.
  std::string_view repeated;
};

void note_once(bool& seen, std::string_view why, Notes& notes) {
  if (seen) notes.repeated = why;
  seen = true;
}

Outcome read_content_length(std::string_view value, Head& head, Notes& notes) {
  if (notes.content_length) return refuse(400, "Content-Length is given more than once.");
  notes.content_length = true;
  head.content_length = read_length(value);
  if (head.content_length) return kDone;
  return refuse(400, "Content-Length is not a plain decimal number.");
}

Outcome read_transfer_encoding(std::string_view value, Head& head, Notes& notes) {
  if (notes.transfer_encoding) return refuse(400, "Transfer-Encoding is given more than once.");
  notes.transfer_encoding = true;
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

Outcome read_connection(std::string_view value, Head& head, Notes& notes) {
  for (;;) {
    const std::size_t comma = value.find(',');
    const std::string_view option = trim(value.substr(0, comma));
    if (same_name(option, "keep-alive")) {
      notes.says_keep_alive = true;
    } else if (same_name(option, "close")) {
      notes.says_close = true;
    } else if (same_name(option, "upgrade")) {
      notes.says_upgrade = true;
    } else if (!option.empty() && !same_name(option, "te")) {
      head.names_fields = true;
    }
    if (++notes.connection_options > kConnectionOptionsMax)
      return refuse(400, "Connection has too many options.");
    if (comma == std::string_view::npos) return kDone;
    value.remove_prefix(comma + 1);
  }
}

// The names are told apart by their length first.
Outcome note_field(const Field& field, Head& head, Notes& notes) {
  switch (field.name.size()) {
    case 4:
      if (!same_name(field.name, "host")) break;
      note_once(notes.host, "Host is given more than once.", notes);
      notes.host_text = field.value;
      break;
    case 6:
      if (same_name(field.name, "origin")) {
        note_once(notes.origin, "Origin is given more than once.", notes);
      } else if (same_name(field.name, "expect")) {
        notes.expect = true;
      }
      break;
    case 7:
      notes.upgrade |= same_name(field.name, "upgrade");
      break;
    case 10:
      if (same_name(field.name, "connection")) return read_connection(field.value, head, notes);
      break;
    case 13:
      if (same_name(field.name, "authorization"))
        note_once(notes.authorization, "Authorization is given more than once.", notes);
      break;
    case 14:
      if (same_name(field.name, "content-length"))
        return read_content_length(field.value, head, notes);
      break;
    case 17:
      if (same_name(field.name, "transfer-encoding"))
        return read_transfer_encoding(field.value, head, notes);
      break;
    default:
      break;
  }
  return kDone;
}

// Why the text from `from` on is no name with a colon at `end`, where its first odd byte stands.
Outcome refuse_name(std::string_view bytes, std::size_t from, std::size_t end) {
  if (end == from && (bytes[from] == ' ' || bytes[from] == '\t'))
    return refuse(400, "A header field is folded over several lines.");
  if (bytes[end] == '\n') return refuse(400, "A line of the head ends without a carriage return.");
  if (bytes[end] == '\r') return refuse(400, "A header field has no colon.");
  return refuse(400, "A header field's name holds a character that may not stand there.");
}

// One field's line.
Outcome read_field(Source& source, Field& field) {
  const std::string_view bytes = source.bytes;
  const std::size_t from = source.at;
  const std::size_t colon = end_of_name(bytes, from);
  if (colon == bytes.size()) return source.need_more();
  if (bytes[colon] != ':' || colon == from) return refuse_name(bytes, from, colon);
  const std::size_t end = end_of_value(bytes, colon + 1);
  if (const Outcome line = step_over_line_end(source, end); !is_done(line)) return line;
  field.name = {bytes.data() + from, colon - from};
  field.value = trim({bytes.data() + colon + 1, end - colon - 1});
  return kDone;
}

// All fields up to the empty line; sets head.bytes.
Outcome read_fields(Source& source, Head& head, Notes& notes) {
  for (;;) {
    if (source.at == source.bytes.size()) return source.need_more();
    if (source.bytes[source.at] == '\r') break;
    if (head.fields.size() == source.limits.fields_max)
      return refuse(431, "The message has too many header fields.");
    Field& field = head.fields.emplace_back();
    if (const Outcome read = read_field(source, field); !is_done(read)) return read;
    if (const Outcome noted = note_field(field, head, notes); !is_done(noted)) return noted;
  }
  if (const Outcome end = step_over_line_end(source, source.at); !is_done(end)) return end;
  head.bytes = source.at;
  if (notes.content_length && notes.transfer_encoding)
    return refuse(400, "Content-Length stands beside Transfer-Encoding.");
  return kDone;
}

void reset(Head& head) {
  head.fields.clear();
  head.content_length.reset();
  head.is_chunked = false;
  head.keeps_alive = true;
  head.upgrades = false;
  head.names_fields = false;
  head.bytes = 0;
}

Outcome read_version(Source& source, RequestHead& head) {
  const std::string_view bytes = source.bytes;
  const std::size_t from = source.at;
  const std::size_t end = end_of_value(bytes, from);
  if (const Outcome line = step_over_line_end(source, end); !is_done(line)) return line;
  const std::string_view version = bytes.substr(from, end - from);
  if (version.size() != 8 || !version.starts_with("HTTP/") || version[6] != '.' ||
      !is_digit(static_cast<unsigned char>(version[5])) ||
      !is_digit(static_cast<unsigned char>(version[7])))
    return refuse(400, "The request line does not end with a version.");
  if (version[5] != '1' || version[7] > '1')
    return refuse(505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.");
  head.minor_version = version[7] - '0';
  return kDone;
}

Outcome read_request_line(Source& source, RequestHead& head) {
  const std::string_view bytes = source.bytes;
  const std::size_t method_end = end_of_run(bytes, source.at, kMethod);
  const std::size_t method_bytes = method_end - source.at;
  const bool is_whole = method_end < bytes.size();
  if (method_bytes > kMethodBytesMax ||
      (is_whole && (method_bytes == 0 || bytes[method_end] != ' ')))
    return refuse(400, "The request line does not begin with a method.");
  if (!is_whole) return source.need_more();
  head.method = bytes.substr(source.at, method_bytes);
  const std::size_t from = method_end + 1;
  const std::size_t end = end_of_run(bytes, from, kTarget);
  if (end - from > source.limits.target_bytes_max)
    return refuse(414, "The request's target is too long.");
  if (end == bytes.size()) return source.need_more();
  if (bytes[end] == '\r' || bytes[end] == '\n')
    return refuse(400, "The request line has no version.");
  if (bytes[end] != ' ' || end == from)
    return refuse(400, "The request's target holds a character that may not stand there.");
  head.target = bytes.substr(from, end - from);
  source.at = end + 1;
  return read_version(source, head);
}

// Finds the path in an absolute target, which must name the same host as the Host field.
Outcome read_absolute_target(RequestHead& head) {
  const std::string_view target = head.target;
  const std::size_t mark = target.find("://");
  if (mark == std::string_view::npos ||
      (!same_name(target.substr(0, mark), "http") && !same_name(target.substr(0, mark), "https")))
    return refuse(400, "The request's target is neither a path nor an http address.");
  const std::string_view rest = target.substr(mark + 3);
  const std::size_t end = rest.find_first_of("/?");
  const std::string_view authority = rest.substr(0, end);
  if (!is_host(authority)) return refuse(400, "The host in the request's target is not one.");
  // HTTP/1.0 may leave Host out, and then only the target says it.
  if (head.host.empty()) head.host = authority;
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

Outcome read_target(RequestHead& head) {
  if (head.method == "CONNECT") return refuse(501, "CONNECT is not served here.");
  // It would show the replica's caller what only the replica may see of the request.
  if (head.method == "TRACE") return refuse(501, "TRACE is not served here.");
  head.path = head.target;
  if (head.target.front() == '/') return kDone;
  if (head.target != "*") return read_absolute_target(head);
  if (head.method == "OPTIONS") return kDone;
  return refuse(400, "The target * belongs to OPTIONS only.");
}

Outcome read_expectation(RequestHead& head) {
  for (const Field& field : head.fields)
    if (same_name(field.name, "expect") && !same_name(field.value, "100-continue"))
      return refuse(417, "No expectation but 100-continue is known here.");
  head.expects_continue = head.minor_version >= 1;
  return kDone;
}

// What the fields of a request must keep to together.
Outcome judge(const Notes& notes, RequestHead& head) {
  if (!notes.repeated.empty()) return refuse(400, notes.repeated);
  if (head.is_chunked && head.minor_version == 0)
    return refuse(400, "HTTP/1.0 knows no Transfer-Encoding.");
  if (notes.host && !is_host(notes.host_text))
    return refuse(400, "The Host field does not hold a host.");
  if (!notes.host && head.minor_version >= 1) return refuse(400, "The Host field is missing.");
  head.host = notes.host_text;
  if (notes.expect) {
    if (const Outcome read = read_expectation(head); !is_done(read)) return read;
  }
  head.keeps_alive = !notes.says_close && (head.minor_version >= 1 || notes.says_keep_alive);
  head.upgrades = notes.says_upgrade && notes.upgrade && head.minor_version >= 1;
  return read_target(head);
}

// The status line: the reason may be missing together with the space before it.
Outcome read_status_line(Source& source, ResponseHead& head) {
  const std::size_t end = end_of_value(source.bytes, 0);
  if (const Outcome read = step_over_line_end(source, end); !is_done(read)) return read;
  const std::string_view line = source.bytes.substr(0, end);
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
  return kDone;
}

// A reply that has no body by its status and yet frames one: a sender that wrote one all the same
// would be read as the next reply.
bool is_at_odds(const ResponseHead& head) {
  if (head.status >= 200 && head.status != 204) return false;
  return head.is_chunked || head.content_length.value_or(0) > 0;
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
  Source source{bytes, limits};
  if (bytes.starts_with('\r')) {
    if (const Outcome empty = step_over_line_end(source, 0); !is_done(empty)) return empty;
  }
  if (const Outcome read = read_request_line(source, head); !is_done(read)) return read;
  Notes notes;
  if (const Outcome read = read_fields(source, head, notes); !is_done(read)) return read;
  return judge(notes, head);
}

Outcome parse_response(std::string_view bytes, const Limits& limits, ResponseHead& head) {
  reset(head);
  head.reason = {};
  const auto as_upstream = [](Outcome outcome) {
    outcome.status = 502;
    return outcome;
  };
  Source source{bytes, limits};
  if (const Outcome read = read_status_line(source, head); !is_done(read)) return as_upstream(read);
  Notes notes;
  if (const Outcome read = read_fields(source, head, notes); !is_done(read))
    return as_upstream(read);
  if (head.is_chunked && head.minor_version == 0)
    return refuse(502, "HTTP/1.0 knows no Transfer-Encoding.");
  head.keeps_alive =
      !notes.says_close && (head.minor_version >= 1 || notes.says_keep_alive) && !is_at_odds(head);
  head.upgrades = notes.says_upgrade && notes.upgrade;
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

}  // namespace kelvin::http
