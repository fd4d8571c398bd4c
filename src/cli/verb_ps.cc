#include <algorithm>
#include <memory>

#include "cli/api.h"
#include "cli/render.h"
#include "cli/session.h"
#include "cli/units.h"
#include "cli/verb.h"

namespace kelvin::cli {

namespace {

struct PsWanted {
  std::string app;
  bool is_watching = false;
};

constexpr Duration kWatchPause = 1s;

Attempt<std::string> ask_replicas(Session& session, const PsWanted& wanted) {
  const auto app = wanted.app.empty() ? std::nullopt : std::optional(wanted.app);
  return session.api().get("/replicas" + query_of({{"app", app}}));
}

std::string replica_count(std::size_t count) {
  return std::to_string(count) + (count == 1 ? " replica" : " replicas");
}

// As many lines as the terminal has rows for, so that moving back up over them lands where they began.
std::string fitting(const std::string& text, int rows) {
  if (rows <= 0) return text;
  std::size_t end = 0;
  for (int row = 0; row + 2 < rows; ++row) {
    const std::size_t next = text.find('\n', end);
    if (next == std::string::npos) return text;
    end = next + 1;
  }
  const auto left = std::count(text.begin() + static_cast<std::ptrdiff_t>(end), text.end(), '\n');
  return left == 0 ? text : text.substr(0, end) + "... " + std::to_string(left) + " more\n";
}

// On a terminal each picture replaces the one before; elsewhere they follow each other.
class Screen {
 public:
  explicit Screen(const Session& session) : session_(session) {}

  void show(const std::string& picture) {
    const Terminal terminal = session_.surroundings().out_terminal();
    if (!terminal.is_terminal) {
      session_.print(picture + "\n");
      return;
    }
    const std::string text = fitting(picture, terminal.rows);
    const std::string back = lines_ > 0 ? "\x1b[" + std::to_string(lines_) + "A\r\x1b[J" : "";
    session_.print(back + text);
    lines_ = std::count(text.begin(), text.end(), '\n');
  }

 private:
  const Session& session_;
  std::ptrdiff_t lines_ = 0;
};

ExitCode watch_replicas(Session& session, const PsWanted& wanted) {
  Screen screen(session);
  do {
    const auto answer = ask_replicas(session, wanted);
    if (!answer) return session.fail(answer.error());
    if (session.wants_json()) {
      session.print(*answer + "\n");
      continue;
    }
    const auto replicas = wire::read_replicas(*answer);
    if (!replicas) return session.fail(replicas.error());
    const std::string heading =
        time_text(session.surroundings().unix_ms()) + "  " + replica_count(replicas->size()) + "\n";
    screen.show(heading + render_replicas(*replicas, session.page()));
  } while (session.surroundings().pause(kWatchPause));
  return ExitCode::Ok;
}

ExitCode list_replicas(Session& session, const PsWanted& wanted) {
  if (wanted.is_watching) return watch_replicas(session, wanted);
  const auto answer = ask_replicas(session, wanted);
  if (!answer) return session.fail(answer.error());
  const auto replicas = wire::read_replicas(*answer);
  if (!replicas) return session.fail(replicas.error());
  if (session.wants_json()) {
    session.print_json(*answer);
    return ExitCode::Ok;
  }
  session.print(render_replicas(*replicas, session.page()));
  if (replicas->empty()) session.say("Nothing runs; everything is cold and costs nothing.\n");
  return ExitCode::Ok;
}

}  // namespace

void add_ps(Cli& cli) {
  const auto wanted = std::make_shared<PsWanted>();
  cli.verbs.push_back(
      {.name = "ps",
       .summary = "list replicas: temperature, accelerator, memory, requests in flight",
       .group = Group::Look,
       .positionals = {{.name = "APP", .need = Need::Optional, .into = &wanted->app}},
       .options = {{.names = "-w,--watch",
                    .summary = "redraw every second",
                    .into = &wanted->is_watching}},
       .run = [wanted](Session& session) { return list_replicas(session, *wanted); }});
}

}  // namespace kelvin::cli
