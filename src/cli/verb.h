// verb: what a verb of the command line is made of.
//
// Each verb is one file, verb_NAME.cc, that exposes `void add_NAME(Cli&)` and appends one Verb: a plain table of what it
// takes, and the function that runs it. Parsing, --help, shell completion and the test that holds help/NAME.md and the
// options together are all made from these tables. Where the values go (`into`) belongs to the verb; it lives as long as
// `run`, which usually holds it by shared_ptr:
//
//   void add_ps(Cli& cli) {
//     const auto wanted = std::make_shared<PsWanted>();
//     cli.verbs.push_back({.name = "ps",
//                          .summary = "list replicas",
//                          .positionals = {{.name = "APP", .need = Need::Optional, .into = &wanted->app}},
//                          .options = {{.names = "-w,--watch", .summary = "redraw", .into = &wanted->is_watching}},
//                          .run = [wanted](Session& session) { return list_replicas(session, *wanted); }});
//   }
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/time.h"
#include "cli/exit_code.h"

namespace kelvin::cli {

class Session;

// Where an option's value goes. A bool takes no value; a vector takes the option as often as it comes. Numbers are whole
// and not negative; durations are written "250ms", "90s", "10m", "2h" or "7d".
using Target = std::variant<bool*, std::string*, std::optional<std::uint32_t>*,
                            std::optional<Duration>*, std::vector<std::string>*>;

struct Option {
  std::string names;     // "-w,--watch"
  std::string value;     // what the value is called, "DIR"; empty for a bool
  std::string summary;   // a few words, for shell completion
  std::string variable;  // environment variable that counts where the option is absent; empty: none
  Target into;
  bool is_required = false;
};

enum class Need { Required, Optional };

struct Positional {
  std::string name;  // "APP" is completed with the names of apps, "FILE" with files
  Need need = Need::Required;
  std::variant<std::string*, std::vector<std::string>*> into;
};

// Under which heading `kelvin --help` lists a verb. Hidden ones are not listed and not completed.
enum class Group { Platform, Apps, Look, Steer, Money, Access, Program, Hidden };

// A verb that speaks to a server takes --server and --data besides its own options. Every verb takes --json and --help.
enum class Reach { Server, Nobody };

struct Verb {
  std::string name;
  std::string summary;  // one line, lower case, no full stop
  Group group = Group::Apps;
  Reach reach = Reach::Server;
  std::vector<Positional> positionals;
  std::vector<Option> options;
  std::vector<Verb> verbs;  // "create", "ls", "rm" of `keys`; then `run` is absent
  std::function<ExitCode(Session&)> run;
};

struct Cli {
  std::vector<Verb> verbs;
};

void add_apps(Cli& cli);
void add_bill(Cli& cli);
void add_call(Cli& cli);
void add_completion(Cli& cli);
void add_delete(Cli& cli);
void add_deploy(Cli& cli);
void add_describe(Cli& cli);
void add_explain(Cli& cli);
void add_keeper(Cli& cli);
void add_keys(Cli& cli);
void add_logs(Cli& cli);
void add_park(Cli& cli);
void add_plan(Cli& cli);
void add_ps(Cli& cli);
void add_rollback(Cli& cli);
void add_scale(Cli& cli);
void add_serve(Cli& cli);
void add_status(Cli& cli);
void add_traffic(Cli& cli);
void add_upgrade(Cli& cli);
void add_usage(Cli& cli);
void add_version(Cli& cli);
void add_wake(Cli& cli);

// Every verb that speaks to a server or to nobody, in the order of `kelvin --help`. main.cc adds serve and keeper, which
// need the whole platform.
void add_client_verbs(Cli& cli);

}  // namespace kelvin::cli
