#include "cli/readiness.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/api.h"
#include "cli/progress.h"
#include "cli/units.h"
#include "cli/wire.h"

namespace kelvin::cli {

namespace {

constexpr Duration kPause = 200ms;

bool is_of(const wire::Replica& replica, const ReadinessWanted& wanted) {
  return wanted.revision == 0 || replica.revision == wanted.revision;
}

// A replica that is parked again, or on its way there, has been ready.
bool was_ready(const wire::Replica& replica) {
  return replica.state == "ready" || replica.state == "parking" || replica.state == "parked" ||
         replica.state == "resuming";
}

// Also without a terminal, where each thing is said once.
class Notes {
 public:
  Notes(const Session& session, const std::string& label)
      : session_(session),
        label_(label),
        progress_({session.surroundings().err_terminal(), session.surroundings().err,
                   session.surroundings().now},
                  label) {}

  void say(const std::string& text) {
    if (session_.wants_json()) return;
    if (session_.surroundings().err_terminal().is_terminal) {
      progress_.note(text);
    } else if (text != said_) {
      session_.say(label_ + ": " + text + "\n");
    }
    said_ = text;
  }
  Duration elapsed() const { return progress_.elapsed(); }
  void clear() { progress_.clear(); }
  const std::string& said() const { return said_; }

 private:
  const Session& session_;
  std::string label_;
  std::string said_;
  Progress progress_;
};

// What the youngest replica of the revision does.
std::string doing_text(const wire::Description& description, const ReadinessWanted& wanted) {
  const wire::Replica* youngest = nullptr;
  for (const wire::Replica& replica : description.replicas) {
    if (!is_of(replica, wanted) || replica.state == "gone") continue;
    if (youngest == nullptr || replica.created_unix_ms > youngest->created_unix_ms)
      youngest = &replica;
  }
  if (youngest == nullptr)
    return description.app.reason.empty() ? "waiting for a start" : description.app.reason;
  return youngest->id + " " + youngest->state +
         (youngest->reason.empty() ? "" : ", " + youngest->reason);
}

Failure cannot_start(const wire::App& app) {
  return {.code = "app_failing",
          .what = app.name + " cannot start",
          .why = app.reason,
          .next = "read what it printed with: kelvin logs " + app.name + " --system"};
}

Failure took_too_long(const ReadinessWanted& wanted, const std::string& doing) {
  return {.exit = ExitCode::TimedOut,
          .code = "timed_out",
          .what = fmt::format("{} was not ready within {}", wanted.app,
                              age_text(whole_ms(wanted.timeout))),
          .why = doing,
          .next = "it goes on starting; follow it with: kelvin ps " + wanted.app + " --watch"};
}

}  // namespace

Attempt<std::string> await_readiness(Session& session, const ReadinessWanted& wanted) {
  Api& api = session.api();
  const auto woken = api.post(app_path(wanted.app) + "/wake", "{}");
  if (!woken) return failed(woken.error());
  Notes notes(session, wanted.app);
  for (;;) {
    const auto answer = api.get(app_path(wanted.app));
    if (!answer) return failed(answer.error());
    const auto description = wire::read_description(*answer);
    if (!description) return failed(description.error());
    const bool is_ready = std::ranges::any_of(
        description->replicas,
        [&](const wire::Replica& replica) { return is_of(replica, wanted) && was_ready(replica); });
    if (is_ready) return *answer;
    if (description->app.condition == "failing") return failed(cannot_start(description->app));
    notes.say(doing_text(*description, wanted));
    const bool goes_on = notes.elapsed() < wanted.timeout && session.surroundings().pause(kPause);
    if (!goes_on) return failed(took_too_long(wanted, notes.said()));
  }
}

}  // namespace kelvin::cli
