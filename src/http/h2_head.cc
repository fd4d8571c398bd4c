// h2_head: from a header block of HTTP/2 to the head that HTTP/1.1 would have had.
#include "http/h2_head.h"

namespace kelvin::http {
namespace {

// RFC 9113 6.5.2: what each field counts beyond its text.
constexpr std::size_t kFieldOverhead = 32;

Outcome refuse(std::uint16_t status, std::string_view why) {
  return {.parsed = Parsed::Refused, .status = status, .why = why};
}
constexpr Outcome kDone{.parsed = Parsed::Done};

}  // namespace

bool may_travel(const Field& field) {
  if (field.name.empty() || field.name.front() == ':') return false;
  switch (field.name.size()) {
    case 2:
      return !same_name(field.name, "te") || same_name(field.value, "trailers");
    case 7:
      return !same_name(field.name, "upgrade");
    case 10:
      return !same_name(field.name, "connection") && !same_name(field.name, "keep-alive");
    case 16:
      return !same_name(field.name, "proxy-connection");
    case 17:
      return !same_name(field.name, "transfer-encoding");
    default:
      return true;
  }
}

bool is_secret(std::string_view name) {
  switch (name.size()) {
    case 6:
      return same_name(name, "cookie");
    case 10:
      return same_name(name, "set-cookie");
    case 13:
      return same_name(name, "authorization");
    case 19:
      return same_name(name, "proxy-authorization");
    default:
      return false;
  }
}

void H2Head::begin() {
  text_.clear();
  entries_.clear();
  cookie_.clear();
  has_cookie_ = false;
  method_ = scheme_ = path_ = authority_ = {};
  has_authority_ = false;
  status_ = 0;
  bytes_ = 0;
  is_too_long_ = false;
}

H2Head::Piece H2Head::keep(std::string_view text) {
  const Piece piece{static_cast<std::uint32_t>(text_.size()),
                    static_cast<std::uint32_t>(text.size())};
  text_ += text;
  return piece;
}

bool H2Head::add_pseudo(std::string_view name, std::string_view value) {
  if (name.empty() || name.front() != ':') return false;
  if (name == ":method") {
    method_ = keep(value);
  } else if (name == ":path") {
    path_ = keep(value);
  } else if (name == ":scheme") {
    scheme_ = keep(value);
  } else if (name == ":authority") {
    authority_ = keep(value);
    has_authority_ = true;
  } else if (name == ":status") {
    status_ = static_cast<int>(read_length(value).value_or(0));
  }
  return true;
}

void H2Head::add_cookie(std::string_view value) {
  if (!cookie_.empty()) cookie_ += "; ";
  cookie_ += value;
  has_cookie_ = true;
}

void H2Head::add(std::string_view name, std::string_view value, const Limits& limits) {
  bytes_ += name.size() + value.size() + kFieldOverhead;
  is_too_long_ |= bytes_ > limits.head_bytes_max || entries_.size() >= limits.fields_max;
  if (is_too_long_) return;
  if (add_pseudo(name, value)) return;
  if (name == "cookie") return add_cookie(value);
  const Piece kept = keep(name);
  entries_.push_back({kept, keep(value)});
}

void H2Head::read_start(Head& head) const {
  head.fields.clear();
  head.content_length.reset();
  head.is_chunked = false;
  head.keeps_alive = true;
  head.upgrades = false;
  head.bytes = bytes_;
}

Outcome H2Head::read_host(RequestHead& head) const {
  head.host = text_of(authority_);
  bool has_host = has_authority_;
  for (const Entry& entry : entries_) {
    if (text_of(entry.name) != "host") continue;
    const std::string_view host = text_of(entry.value);
    if (has_host && !same_name(host, head.host))
      return refuse(400, "The request's authority and its host field name different hosts.");
    head.host = host;
    has_host = true;
  }
  if (head.host.empty()) return refuse(400, "The request names no host.");
  return is_host(head.host) ? kDone : refuse(400, "The request's authority is not a host.");
}

Outcome H2Head::read_path(const Limits& limits, RequestHead& head) const {
  head.method = text_of(method_);
  head.target = head.path = text_of(path_);
  if (head.method == "CONNECT") return refuse(501, "CONNECT is not served here.");
  if (!is_token(head.method) || head.method.size() > 32)
    return refuse(400, "The request's method is not one.");
  const std::string_view scheme = text_of(scheme_);
  if (!same_name(scheme, "http") && !same_name(scheme, "https"))
    return refuse(400, "The request's scheme is neither http nor https.");
  if (head.path.size() > limits.target_bytes_max)
    return refuse(414, "The request's target is too long.");
  if (!is_target(head.path))
    return refuse(400, "The request's target holds a character that may not stand there.");
  if (head.path == "*" && head.method != "OPTIONS")
    return refuse(400, "The target * belongs to OPTIONS only.");
  if (head.path != "*" && head.path.front() != '/')
    return refuse(400, "The request's target is not a path.");
  return kDone;
}

Outcome H2Head::read_field(const Field& field, RequestHead& head) const {
  if (field.name == "content-length") {
    head.content_length = read_length(field.value);
    if (!head.content_length) return refuse(400, "Content-Length is not a plain decimal number.");
  } else if (field.name == "expect") {
    if (!same_name(field.value, "100-continue"))
      return refuse(417, "No expectation but 100-continue is known here.");
    head.expects_continue = true;
  }
  return kDone;
}

Outcome H2Head::read_request(const Limits& limits, RequestHead& head) {
  read_start(head);
  head.minor_version = 1;
  head.expects_continue = false;
  head.method = head.target = head.path = head.host = {};
  if (is_too_long_) return refuse(431, "The head of the request is too long.");
  if (const Outcome path = read_path(limits, head); path.parsed != Parsed::Done) return path;
  if (const Outcome host = read_host(head); host.parsed != Parsed::Done) return host;
  head.fields.push_back({"host", head.host});
  for (const Entry& entry : entries_) {
    const Field field{text_of(entry.name), text_of(entry.value)};
    if (field.name == "host") continue;
    if (const Outcome read = read_field(field, head); read.parsed != Parsed::Done) return read;
    head.fields.push_back(field);
  }
  if (has_cookie_) head.fields.push_back({"cookie", cookie_});
  return kDone;
}

Outcome H2Head::read_response(ResponseHead& head) {
  read_start(head);
  head.minor_version = 1;
  head.status = status_;
  head.reason = {};
  if (is_too_long_) return refuse(502, "The head of the reply is too long.");
  if (status_ < 100 || status_ > 599)
    return refuse(502, "The reply's status is not between 100 and 599.");
  for (const Entry& entry : entries_) {
    const Field field{text_of(entry.name), text_of(entry.value)};
    if (field.name == "content-length") {
      head.content_length = read_length(field.value);
      if (!head.content_length) return refuse(502, "Content-Length is not a plain decimal number.");
    }
    head.fields.push_back(field);
  }
  if (has_cookie_) head.fields.push_back({"cookie", cookie_});
  return kDone;
}

void H2Head::read_trailers(std::vector<Field>& fields) const {
  fields.clear();
  for (const Entry& entry : entries_) fields.push_back({text_of(entry.name), text_of(entry.value)});
  if (has_cookie_) fields.push_back({"cookie", cookie_});
}

}  // namespace kelvin::http
