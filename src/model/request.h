// request: what a request may ask about its wait.
#pragma once

#include <cstdint>
#include <string_view>

namespace kelvin::model {

enum class Priority : std::uint8_t {
  High,    // before the other requests of its key; other keys lose nothing by it
  Normal,  // in order of arrival
  Low,     // after everybody else's, and never a reason for a start or a resume
};
std::string_view to_text(Priority p);  // "low"

}  // namespace kelvin::model
