#include "plan/readers/json.h"

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "plan/readers/values.h"

namespace kelvin::plan {

namespace {

using Json = nlohmann::json;

// What the parser calls, under the names that nlohmann::json_sax fixes. False ends the parse.
class Listener {
 public:
  explicit Listener(const std::function<void(const JsonMember&)>& take) : take_(take) {}

  bool null() { return scalar(Null{}); }
  bool boolean(bool /*value*/) { return scalar(OtherValue{}); }
  bool number_integer(Json::number_integer_t value) { return scalar(std::int64_t{value}); }
  bool number_unsigned(Json::number_unsigned_t value) {
    if (std::in_range<std::int64_t>(value)) return scalar(static_cast<std::int64_t>(value));
    return scalar(static_cast<double>(value));
  }
  bool number_float(Json::number_float_t value, const std::string& /*text*/) {
    return scalar(value);
  }
  bool string(std::string& value) { return scalar(std::string_view(value)); }
  bool binary(Json::binary_t& /*value*/) { return scalar(OtherValue{}); }
  bool start_object(std::size_t /*members*/) {
    if (depth_ > 0) member(OtherValue{});
    ++depth_;
    return true;
  }
  bool end_object() {
    --depth_;
    return true;
  }
  bool start_array(std::size_t /*elements*/) {
    if (!scalar(OtherValue{})) return false;
    ++depth_;
    ++lists_;
    return true;
  }
  bool end_array() {
    --depth_;
    --lists_;
    return true;
  }
  bool key(std::string& name) {
    if (lists_ > 0) return true;
    if (depth_ == 1) outer_ = name;
    if (depth_ == 2) inner_ = name;
    return true;
  }
  bool parse_error(std::size_t byte, const std::string& /*last_read*/,
                   const Json::exception& /*why*/) {
    failure_ = JsonFailure{.byte = byte, .is_object = true};
    return false;
  }
  const std::optional<JsonFailure>& failure() const { return failure_; }

 private:
  bool scalar(const JsonValue& value) {
    if (depth_ == 0) {
      failure_ = JsonFailure{.byte = 1, .is_object = false};
      return false;
    }
    member(value);
    return true;
  }
  void member(const JsonValue& value) {
    if (lists_ > 0) return;
    if (depth_ == 1) take_({.outer = {}, .name = outer_, .value = value});
    if (depth_ == 2) take_({.outer = outer_, .name = inner_, .value = value});
  }

  const std::function<void(const JsonMember&)>& take_;
  std::size_t depth_ = 0;
  std::size_t lists_ = 0;  // open ones; nothing in a list is anybody's member
  std::string outer_;
  std::string inner_;
  std::optional<JsonFailure> failure_;
};

}  // namespace

std::optional<JsonFailure> walk_json(std::string_view text,
                                     const std::function<void(const JsonMember&)>& take) {
  Listener listener(take);
  Json::sax_parse(text, &listener);
  return listener.failure();
}

JsonLine::JsonLine(std::span<const std::string_view> names, std::string_view line)
    : names_(names), scalars_(names.size()) {
  const auto take = [this](const JsonMember& member) {
    if (!member.outer.empty()) return;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (names_[i] == member.name) keep_scalar(i, member.value);
    }
  };
  const std::optional<JsonFailure> failure = walk_json(line, take);
  if (!failure) return;
  complaint_ = failure->is_object
                   ? complain(fmt::format("broken JSON at byte {}", failure->byte)).value()
                   : complain("not a JSON object").value();
}

void JsonLine::keep_scalar(std::size_t member, const JsonValue& value) {
  Scalar& scalar = scalars_[member];
  if (scalar.kind != Kind::Absent && !complaint_)
    complaint_ = complain(fmt::format("\"{}\" is there twice", names_[member])).value();
  if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    scalar = {.kind = Kind::Whole, .number = static_cast<double>(*whole), .whole = *whole};
  } else if (const auto* number = std::get_if<double>(&value)) {
    scalar = {.kind = Kind::Number, .number = *number};
  } else if (const auto* text = std::get_if<std::string_view>(&value)) {
    scalar = {.kind = Kind::Text, .text = std::string(*text)};
  } else {
    scalar = {.kind = std::holds_alternative<Null>(value) ? Kind::Null : Kind::Other};
  }
}

}  // namespace kelvin::plan
