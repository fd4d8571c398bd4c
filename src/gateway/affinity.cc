#include "gateway/affinity.h"

#include <algorithm>

namespace kelvin::gateway {

namespace {

// FNV-1a (Fowler, Noll, Vo), with the last step of SplitMix64 so that every bit counts.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325ULL;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x0000'0100'0000'01b3ULL;
  }
  hash = (hash ^ (hash >> 30)) * 0xbf58'476d'1ce4'e5b9ULL;
  hash = (hash ^ (hash >> 27)) * 0x94d0'49bb'1331'11ebULL;
  return hash ^ (hash >> 31);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The value of a cookie in one Cookie field, "a=1; b=2".
std::string_view find_cookie(std::string_view field, std::string_view name) {
  while (!field.empty()) {
    const std::size_t end = std::min(field.find(';'), field.size());
    const std::string_view pair = trimmed(field.substr(0, end));
    field.remove_prefix(std::min(end + 1, field.size()));
    const std::size_t equals = pair.find('=');
    if (equals != std::string_view::npos && trimmed(pair.substr(0, equals)) == name)
      return trimmed(pair.substr(equals + 1));
  }
  return {};
}

std::string_view cookie_of(const http::RequestHead& head, std::string_view name) {
  // HTTP/2 may send the cookies in several fields.
  for (const http::Field& field : head.fields) {
    if (!http::same_name(field.name, "cookie")) continue;
    const std::string_view value = find_cookie(field.value, name);
    if (!value.empty()) return value;
  }
  return {};
}

std::string_view header_of(const http::RequestHead& head, std::string_view name) {
  const http::Field* field = head.find(name);
  return field == nullptr ? std::string_view() : field->value;
}

std::string_view prompt_of(const model::AffinityRule& rule, BodyStart body) {
  const std::string_view prompt = body.is_json ? find_prompt(body.bytes) : body.bytes;
  if (!body.is_json && !body.is_whole && prompt.size() < rule.bytes) return {};
  return prompt.substr(0, rule.bytes);
}

// Walks over a JSON text that is taken to be well formed, and never beyond its end.
class Walker {
 public:
  explicit Walker(std::string_view text) : text_(text) {}

  [[nodiscard]] std::size_t at() const { return at_; }
  [[nodiscard]] bool has(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  // What stands between the quotes, with escapes as they are.
  [[nodiscard]] std::optional<std::string_view> string() {
    if (!has('"')) return std::nullopt;
    const std::size_t from = at_;
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"') return text_.substr(from, at_++ - from);
      if (text_[at_] == '\\') ++at_;
    }
    at_ = text_.size();
    return std::nullopt;
  }
  // Any value; false where the text ends before it does.
  bool value() {
    skip_space();
    std::size_t depth = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        if (!string()) return false;
      } else if (c == '{' || c == '[') {
        ++depth;
        ++at_;
      } else if (c == '}' || c == ']') {
        if (depth == 0) return true;  // the end of what holds this value
        --depth;
        ++at_;
      } else if (depth == 0 && c == ',') {
        return true;
      } else {
        ++at_;
        continue;
      }
      if (depth == 0) return true;
    }
    return false;
  }
  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
      ++at_;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::string_view find_prompt(std::string_view body) {
  Walker walker(body);
  if (!walker.has('{')) return {};
  do {
    const std::optional<std::string_view> key = walker.string();
    if (!key || !walker.has(':')) return {};
    walker.skip_space();
    const std::size_t from = walker.at();
    if (!walker.value()) return {};
    if (*key == "messages" || *key == "prompt" || *key == "input")
      return body.substr(from, walker.at() - from);
  } while (walker.has(','));
  return {};
}

std::optional<std::uint64_t> affinity_of(const model::AffinityRule& rule,
                                         const http::RequestHead& head, BodyStart body) {
  std::string_view text;
  switch (rule.by) {
    case model::AffinityBy::None:
      return std::nullopt;
    case model::AffinityBy::Header:
      text = header_of(head, rule.name);
      break;
    case model::AffinityBy::Cookie:
      text = cookie_of(head, rule.name);
      break;
    case model::AffinityBy::Prefix:
      text = prompt_of(rule, body);
      break;
  }
  if (text.empty()) return std::nullopt;
  return hash_of(text);
}

}  // namespace kelvin::gateway
