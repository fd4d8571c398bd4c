// openai_body: a strict scanner of JSON and a cutter of multipart forms.
#include "gateway/openai_body.h"

#include <optional>
#include <vector>

#include "http/message.h"
#include "http/write.h"

namespace kelvin::gateway {
namespace {

constexpr std::size_t kModelBytesMax = 256;
// Deeper than any request of the API; a bound because the scanner remembers one bit per level.
constexpr std::size_t kDepthMax = 512;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_utf8(std::string& out, std::uint32_t point) {
  const auto add = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (point < 0x80) {
    add(point);
  } else if (point < 0x800) {
    add(0xc0 | point >> 6U);
    add(0x80 | (point & 63U));
  } else if (point < 0x10000) {
    add(0xe0 | point >> 12U);
    add(0x80 | (point >> 6U & 63U));
    add(0x80 | (point & 63U));
  } else {
    add(0xf0 | point >> 18U);
    add(0x80 | (point >> 12U & 63U));
    add(0x80 | (point >> 6U & 63U));
    add(0x80 | (point & 63U));
  }
}

// Four hexadecimal digits at the front of `text`.
std::optional<std::uint32_t> read_hex4(std::string_view text) {
  if (text.size() < 4) return std::nullopt;
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const int digit = hex_value(text[i]);
    if (digit < 0) return std::nullopt;
    value = value * 16 + static_cast<std::uint32_t>(digit);
  }
  return value;
}

// Decodes the inside of a JSON string that the scanner has accepted. A lone surrogate becomes U+FFFD.
std::string decode_string(std::string_view raw) {
  std::string out;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\') {
      out.push_back(raw[i]);
      continue;
    }
    switch (const char c = raw[++i]) {
      case 'n':
        out.push_back('\n');
        break;
      case 't':
        out.push_back('\t');
        break;
      case 'r':
        out.push_back('\r');
        break;
      case 'b':
        out.push_back('\b');
        break;
      case 'f':
        out.push_back('\f');
        break;
      case 'u': {
        std::uint32_t point = *read_hex4(raw.substr(i + 1));
        i += 4;
        const bool is_high = point >= 0xd800 && point < 0xdc00;
        if (is_high && raw.substr(i + 1).starts_with("\\u")) {
          const std::uint32_t low = *read_hex4(raw.substr(i + 3));
          if (low >= 0xdc00 && low < 0xe000) {
            point = 0x10000 + ((point - 0xd800) << 10U) + (low - 0xdc00);
            i += 6;
          }
        }
        if (point >= 0xd800 && point < 0xe000) point = 0xfffd;
        append_utf8(out, point);
        break;
      }
      default:
        out.push_back(c);
    }
  }
  return out;
}

// Reads one JSON text and notes the outermost object's "model".
class JsonScanner {
 public:
  explicit JsonScanner(std::string_view text) : text_(text) {}

  ModelField scan() {
    skip_space();
    if (at_ == text_.size() || text_[at_] != '{') return {};
    if (!scan_value()) return {};
    while (!is_object_.empty()) {
      if (!scan_member()) return {};
    }
    skip_space();
    if (at_ != text_.size()) return {};
    return found_;
  }

 private:
  bool has(char c) const { return at_ < text_.size() && text_[at_] == c; }
  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
      ++at_;
  }

  // One step inside the innermost container: a member with what belongs to it, or the container's end.
  bool scan_member() {
    const bool in_object = is_object_.back();
    const char end = in_object ? '}' : ']';
    skip_space();
    if (has(end) && !wants_member_) {
      ++at_;
      is_object_.pop_back();
      is_first_ = false;
      return true;
    }
    if (!is_first_ && !wants_member_) {
      if (!has(',')) return false;
      ++at_;
      wants_member_ = true;
      return true;
    }
    is_first_ = false;
    wants_member_ = false;
    if (!in_object) return scan_value();
    std::string_view key;
    if (!scan_string(key)) return false;
    skip_space();
    if (!has(':')) return false;
    ++at_;
    skip_space();
    if (is_object_.size() > 1) return scan_value();
    if (is_named(key, "model")) return scan_model();
    if (is_named(key, "stream")) found_.is_streaming = text_.substr(at_).starts_with("true");
    return scan_value();
  }

  static bool is_named(std::string_view key, std::string_view name) {
    // An escaped letter takes six bytes, so that a longer key cannot spell the name.
    return key.size() <= 6 * name.size() && decode_string(key) == name;
  }

  bool scan_model() {
    if (found_.search != ModelSearch::Missing) {
      found_.search = ModelSearch::Repeated;
      return scan_value();
    }
    found_.search = ModelSearch::NotText;
    if (!has('"')) return scan_value();
    found_.from = at_;
    std::string_view raw;
    if (!scan_string(raw)) return false;
    found_.to = at_;
    found_.model = decode_string(raw);
    if (found_.model.size() <= kModelBytesMax) found_.search = ModelSearch::Found;
    return true;
  }

  // A whole scalar, or the opening of a container.
  bool scan_value() {
    skip_space();
    if (at_ == text_.size()) return false;
    std::string_view ignored;
    switch (text_[at_]) {
      case '{':
      case '[':
        if (is_object_.size() == kDepthMax) return false;
        is_object_.push_back(text_[at_] == '{');
        is_first_ = true;
        ++at_;
        return true;
      case '"':
        return scan_string(ignored);
      case 't':
        return scan_word("true");
      case 'f':
        return scan_word("false");
      case 'n':
        return scan_word("null");
      default:
        return scan_number();
    }
  }

  bool scan_word(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  bool scan_digits() {
    const std::size_t from = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    return at_ > from;
  }

  bool scan_number() {
    if (has('-')) ++at_;
    if (has('0')) {
      ++at_;
    } else if (!scan_digits()) {
      return false;
    }
    if (has('.')) {
      ++at_;
      if (!scan_digits()) return false;
    }
    if (has('e') || has('E')) {
      ++at_;
      if (has('+') || has('-')) ++at_;
      if (!scan_digits()) return false;
    }
    return true;
  }

  // `raw` is what stands between the quotes.
  bool scan_string(std::string_view& raw) {
    if (!has('"')) return false;
    const std::size_t from = ++at_;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        raw = text_.substr(from, at_ - from);
        ++at_;
        return true;
      }
      if (static_cast<unsigned char>(c) < 0x20) return false;
      ++at_;
      if (c != '\\') continue;
      if (at_ == text_.size()) return false;
      const char escaped = text_[at_++];
      if (escaped == 'u') {
        if (!read_hex4(text_.substr(at_))) return false;
        at_ += 4;
      } else if (std::string_view("\"\\/bfnrt").find(escaped) == std::string_view::npos) {
        return false;
      }
    }
    return false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<bool> is_object_;  // one entry per open container
  bool is_first_ = false;        // nothing stands in the innermost container yet
  bool wants_member_ = false;    // a comma has been read
  ModelField found_{.search = ModelSearch::Missing};
};

// The value of one parameter of a field such as `form-data; name="model"; filename="a;b"`; quoted text is unquoted.
std::optional<std::string> find_parameter(std::string_view value, std::string_view name) {
  std::size_t at = value.find(';');
  while (at != std::string_view::npos && at < value.size()) {
    ++at;
    while (at < value.size() && (value[at] == ' ' || value[at] == '\t')) ++at;
    const std::size_t equals = value.find_first_of("=;", at);
    if (equals == std::string_view::npos) return std::nullopt;
    if (value[equals] == ';') {
      at = equals;
      continue;
    }
    const std::string_view key = value.substr(at, equals - at);
    std::string text;
    at = equals + 1;
    if (at < value.size() && value[at] == '"') {
      for (++at; at < value.size() && value[at] != '"'; ++at) {
        if (value[at] == '\\' && at + 1 < value.size()) ++at;
        text.push_back(value[at]);
      }
      if (at == value.size()) return std::nullopt;
      at = value.find(';', at);
    } else {
      const std::size_t end = value.find(';', at);
      text = value.substr(at, end == std::string_view::npos ? end : end - at);
      while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.pop_back();
      at = end;
    }
    if (http::same_name(key, name)) return text;
  }
  return std::nullopt;
}

// The name of a form part, from the lines before its content.
std::optional<std::string> part_name(std::string_view lines) {
  while (!lines.empty()) {
    const std::size_t end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, end);
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos &&
        http::same_name(line.substr(0, colon), "content-disposition"))
      return find_parameter(line.substr(colon + 1), "name");
    if (end == std::string_view::npos) break;
    lines.remove_prefix(end + 2);
  }
  return std::nullopt;
}

ModelField find_in_form(std::string_view content_type, std::string_view body) {
  const auto boundary = find_parameter(content_type, "boundary");
  if (!boundary || boundary->empty() || boundary->size() > 70) return {};
  const std::string first = "--" + *boundary;
  const std::string next = "\r\n" + first;
  if (!body.starts_with(first)) return {};
  ModelField field{.search = ModelSearch::Missing, .is_json = false};
  std::size_t at = first.size();
  while (!body.substr(at).starts_with("--")) {
    if (!body.substr(at).starts_with("\r\n")) return {};
    const std::size_t lines = at + 2;
    const std::size_t blank = body.find("\r\n\r\n", at);
    if (blank == std::string_view::npos) return {};
    const std::size_t from = blank + 4;
    const std::size_t to = body.find(next, from - 2);
    if (to == std::string_view::npos || to < from) return {};
    at = to + next.size();
    const auto name = part_name(body.substr(lines, blank < lines ? 0 : blank - lines));
    if (name != "model") continue;
    if (field.search != ModelSearch::Missing) {
      field.search = ModelSearch::Repeated;
      continue;
    }
    field.search = to - from <= kModelBytesMax ? ModelSearch::Found : ModelSearch::NotText;
    if (field.search == ModelSearch::Found) field.model = body.substr(from, to - from);
    field.from = from;
    field.to = to;
  }
  return field;
}

}  // namespace

ModelField find_model(std::string_view content_type, std::string_view body) {
  const std::string_view kind = content_type.substr(0, content_type.find(';'));
  if (http::same_name(kind.substr(0, 19), "multipart/form-data"))
    return find_in_form(content_type, body);
  return JsonScanner(body).scan();
}

std::string model_text(const ModelField& field, std::string_view model) {
  if (!field.is_json) return std::string(model);
  std::string text = "\"";
  http::append_json_text(text, model);
  text += '"';
  return text;
}

}  // namespace kelvin::gateway
