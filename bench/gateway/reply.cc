// reply: follows one HTTP/1.1 reply as its bytes come.
#include "reply.h"

#include <strings.h>

#include <algorithm>
#include <cstring>

namespace bench {
namespace {

constexpr std::uint64_t kBodyMax = 1ULL << 40U;

bool is_name(std::string_view found, std::string_view wanted) {
  return found.size() == wanted.size() &&
         ::strncasecmp(found.data(), wanted.data(), wanted.size()) == 0;
}

int hex_of(char byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
  if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
  return -1;
}

}  // namespace

Reply::Step Reply::take(std::string_view bytes, std::size_t& used) {
  return take(bytes, used, [](std::string_view) {});
}

void Reply::reset() {
  part_ = Part::Head;
  is_last_ = false;
  is_chunked_ = false;
  status_ = 0;
  left_ = 0;
  line_length_ = 0;
  head_length_ = 0;
}

Reply::Step Reply::skip(std::uint64_t bytes) {
  left_ -= std::min(bytes, left_);
  return left_ == 0 ? Step::Done : Step::NeedsMore;
}

Reply::Step Reply::take_head(std::string_view bytes, std::size_t& used) {
  constexpr std::string_view kEnd = "\r\n\r\n";
  if (head_length_ == 0) {
    const std::size_t end = bytes.find(kEnd);
    if (end != std::string_view::npos) {
      used = end + kEnd.size();
      return read_head(bytes.substr(0, end + 2));
    }
  }
  const std::size_t count = std::min(bytes.size(), kHeadMax - head_length_);
  std::memcpy(head_.data() + head_length_, bytes.data(), count);
  const std::string_view held(head_.data(), head_length_ + count);
  const std::size_t end = held.find(kEnd, head_length_ < 3 ? 0 : head_length_ - 3);
  if (end == std::string_view::npos) {
    head_length_ += count;
    used = count;
    return head_length_ == kHeadMax ? Step::Broken : Step::NeedsMore;
  }
  used = end + kEnd.size() - head_length_;
  return read_head(held.substr(0, end + 2));
}

// Every line of `head` ends with CRLF.
Reply::Step Reply::read_head(std::string_view head) {
  if (head.size() < 12 || !head.starts_with("HTTP/1.1 ")) return Step::Broken;
  status_ = (head[9] - '0') * 100 + (head[10] - '0') * 10 + (head[11] - '0');
  if (status_ < 200 || status_ > 599) return Step::Broken;
  left_ = 0;
  std::size_t at = head.find("\r\n") + 2;
  while (at < head.size()) {
    const std::size_t end = head.find("\r\n", at);
    if (read_field(head.substr(at, end - at)) == Step::Broken) return Step::Broken;
    at = end + 2;
  }
  part_ = is_chunked_ ? Part::ChunkSize : Part::Body;
  if (!is_chunked_ && left_ == 0) return Step::Done;
  if (is_chunked_) left_ = 0;
  return Step::NeedsMore;
}

Reply::Step Reply::read_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return Step::Broken;
  const std::string_view name = line.substr(0, colon);
  std::string_view value = line.substr(colon + 1);
  while (value.starts_with(' ')) value.remove_prefix(1);
  if (is_name(name, "content-length")) {
    for (const char digit : value) {
      if (digit < '0' || digit > '9' || left_ > kBodyMax) return Step::Broken;
      left_ = left_ * 10 + static_cast<std::uint64_t>(digit - '0');
    }
  } else if (is_name(name, "transfer-encoding")) {
    is_chunked_ = is_name(value, "chunked");
    if (!is_chunked_) return Step::Broken;
  } else if (is_name(name, "connection")) {
    is_last_ = is_name(value, "close");
  }
  return Step::NeedsMore;
}

Reply::Step Reply::take_framing(char byte) {
  if (byte == '\r') return Step::NeedsMore;
  const bool is_line_end = byte == '\n';
  switch (part_) {
    case Part::ChunkSize: {
      if (is_line_end) {
        part_ = left_ == 0 ? Part::LastLine : Part::ChunkBytes;
        line_length_ = 0;
        return Step::NeedsMore;
      }
      const int digit = hex_of(byte);
      left_ = left_ * 16 + static_cast<std::uint64_t>(std::max(digit, 0));
      return digit < 0 || left_ > kBodyMax ? Step::Broken : Step::NeedsMore;
    }
    case Part::ChunkEnd:
      part_ = Part::ChunkSize;
      return is_line_end ? Step::NeedsMore : Step::Broken;
    case Part::LastLine:
      if (is_line_end && line_length_ == 0) return Step::Done;
      line_length_ = is_line_end ? 0 : line_length_ + 1;
      return Step::NeedsMore;
    case Part::Head:
    case Part::Body:
    case Part::ChunkBytes:
      return Step::Broken;
  }
  return Step::Broken;
}

}  // namespace bench
