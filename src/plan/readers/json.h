// json: the scalars of a JSON text with where they stand, in one pass and without a tree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <variant>

namespace kelvin::plan {

struct Null {};
struct OtherValue {};  // true, false, or the beginning of an object or a list
using JsonValue = std::variant<Null, OtherValue, std::int64_t, double, std::string_view>;

// A value below one or two names: {"outer": {"name": value}} or {"name": value}, where `outer` is empty.
struct JsonMember {
  std::string_view outer;
  std::string_view name;
  JsonValue value;
};

struct JsonFailure {
  std::size_t byte = 0;   // at which the text is broken, from 1
  bool is_object = true;  // false: whole, but something else than an object
};

// Gives every member of the outermost object, and of the objects right inside it, to `take`; what is deeper is skipped.
// Views are good during the call. Nothing: the text is one whole JSON object.
[[nodiscard]] std::optional<JsonFailure> walk_json(
    std::string_view text, const std::function<void(const JsonMember&)>& take);

}  // namespace kelvin::plan
