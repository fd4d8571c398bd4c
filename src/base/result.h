// result: what an operation that can fail returns.
//
// An Error says who is to blame (which HTTP status, whose quota), whether trying again can help, and in `what`
// a sentence that grows by one context phrase per layer, outermost first. Code branches on `code`, never on `what`.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace kelvin {

enum class Code {
  Invalid,      // the input is wrong
  NotFound,     // what was named does not exist
  Conflict,     // the state of things forbids it
  Refused,      // a rule or a key forbids it
  Exhausted,    // a limit is reached: memory, disk, queue, budget
  Unavailable,  // the outside did not answer or is not there
  TimedOut,     // a deadline passed
  Internal,     // a bug or a broken promise of a library
};

enum class Blame { Client, Upstream, Host, Platform };
enum class Retry { Never, Safe, AfterDelay };

struct Error {
  Code code = Code::Internal;
  Blame blame = Blame::Platform;
  Retry retry = Retry::Never;
  std::string what;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

[[nodiscard]] inline tl::unexpected<Error> fail(Code code, Blame blame, Retry retry,
                                                std::string what) {
  return tl::unexpected<Error>(Error{code, blame, retry, std::move(what)});
}

// Puts one phrase in front: "read kelvin.yaml: permission denied".
[[nodiscard]] inline tl::unexpected<Error> fail(Error inner, std::string_view context) {
  inner.what.insert(0, std::string(context) + ": ");
  return tl::unexpected<Error>(std::move(inner));
}

}  // namespace kelvin

#define KELVIN_CONCAT_INNER(a, b) a##b
#define KELVIN_CONCAT(a, b) KELVIN_CONCAT_INNER(a, b)
#define KELVIN_TRY_INNER(tmp, declaration, expression)                        \
  auto tmp = (expression);                                                    \
  if (!tmp) return ::tl::unexpected<::kelvin::Error>(std::move(tmp).error()); \
  declaration = std::move(*tmp)

// KELVIN_TRY(const File file, open(path)); declares `file`, or returns the error from the enclosing function.
#define KELVIN_TRY(declaration, ...) \
  KELVIN_TRY_INNER(KELVIN_CONCAT(kelvin_try_, __LINE__), declaration, (__VA_ARGS__))

// KELVIN_TRY_VOID(write(file)); for operations that return a Status.
#define KELVIN_TRY_VOID(...)                                                      \
  do {                                                                            \
    if (auto kelvin_status = (__VA_ARGS__); !kelvin_status)                       \
      return ::tl::unexpected<::kelvin::Error>(std::move(kelvin_status).error()); \
  } while (false)
