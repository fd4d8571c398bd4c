#include "cli/command_line.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <charconv>
#include <utility>

#include "cli/help.h"
#include "cli/text.h"
#include "cli/units.h"

namespace kelvin::cli {

namespace {

// An option as it stands in the parser, to see afterwards whether it was given.
struct Placed {
  CLI::Option* parsed = nullptr;
  Option option;
};

struct Parser {
  CLI::App app;
  Shared shared;
  std::vector<Placed> placed;
};

struct BadValue {
  std::string expected;
};

// Puts text where the option's value goes; says what was expected when it does not fit.
std::optional<BadValue> assign(const Target& target, const std::string& text) {
  if (bool* const* into = std::get_if<bool*>(&target)) {
    **into = text != "0" && text != "false" && !text.empty();
  } else if (std::string* const* into_text = std::get_if<std::string*>(&target)) {
    **into_text = text;
  } else if (auto* const* into_list = std::get_if<std::vector<std::string>*>(&target)) {
    (*into_list)->push_back(text);
  } else if (auto* const* into_number = std::get_if<std::optional<std::uint32_t>*>(&target)) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return BadValue{"a whole number"};
    **into_number = number;
  } else if (auto* const* into_duration = std::get_if<std::optional<Duration>*>(&target)) {
    **into_duration = parse_duration(text);
    if (!**into_duration) return BadValue{"a time such as 90s, 10m, 2h or 7d"};
  }
  return std::nullopt;
}

std::string longest_name(const Option& option) {
  return option.names.substr(option.names.rfind(',') + 1);
}

void assign_or_throw(const Option& option, const std::string& text) {
  const auto bad = assign(option.into, text);
  if (bad)
    throw CLI::ValidationError(longest_name(option),
                               "expected " + bad->expected + ", found \"" + text + "\"");
}

void place_option(Parser& parser, CLI::App& into, const Option& option) {
  CLI::Option* parsed = nullptr;
  if (bool* const* target = std::get_if<bool*>(&option.into)) {
    parsed = into.add_flag_callback(option.names, [flag = *target] { *flag = true; });
  } else {
    const auto take = [option](const std::vector<std::string>& values) {
      for (const std::string& value : values) assign_or_throw(option, value);
    };
    parsed = into.add_option_function<std::vector<std::string>>(option.names, take);
    const bool is_list = std::holds_alternative<std::vector<std::string>*>(option.into);
    // One value each time, so that what follows is not swallowed.
    parsed->expected(1, is_list ? CLI::detail::expected_max_vector_size : 1)
        ->allow_extra_args(false);
    if (!is_list) parsed->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
  parsed->required(option.is_required && option.variable.empty());
  parser.placed.push_back({parsed, option});
}

void place_positional(CLI::App& into, const Positional& positional) {
  const bool is_required = positional.need == Need::Required;
  if (std::string* const* text = std::get_if<std::string*>(&positional.into)) {
    into.add_option(positional.name, **text)->required(is_required);
  } else if (auto* const* list = std::get_if<std::vector<std::string>*>(&positional.into)) {
    into.add_option(positional.name, **list)->required(is_required);
  }
}

void place_verb(Parser& parser, CLI::App& parent, const Verb& verb) {
  CLI::App& place = *parent.add_subcommand(verb.name);
  for (const Positional& positional : verb.positionals) place_positional(place, positional);
  for (const Option& option : verb.options) place_option(parser, place, option);
  for (const Option& option : shared_options(verb, parser.shared))
    place_option(parser, place, option);
  for (const Verb& inner : verb.verbs) place_verb(parser, place, inner);
  if (!verb.verbs.empty()) place.require_subcommand(1);
}

// The verb that the words lead to, as deep as they go.
std::vector<const Verb*> walk(const Cli& cli, const std::vector<std::string>& words) {
  std::vector<const Verb*> path;
  const std::vector<Verb>* among = &cli.verbs;
  for (const std::string& word : words) {
    const auto it = std::ranges::find(*among, word, &Verb::name);
    if (it == among->end()) {
      if (word.starts_with('-')) continue;
      break;
    }
    path.push_back(&*it);
    among = &it->verbs;
  }
  return path;
}

// "keys create"; empty for no verb.
std::string words_of(const std::vector<const Verb*>& path) {
  std::string out;
  for (const Verb* verb : path) out += (out.empty() ? "" : " ") + verb->name;
  return out;
}

std::vector<std::string> option_names(const Verb& verb) {
  Shared nowhere;
  std::vector<Option> options = verb.options;
  for (Option& option : shared_options(verb, nowhere)) options.push_back(std::move(option));
  std::vector<std::string> names = {"--help"};
  for (const Option& option : options) names.push_back(longest_name(option));
  return names;
}

Failure usage_failure(const std::vector<const Verb*>& path, std::string what,
                      std::string why = "") {
  return {.exit = ExitCode::Usage,
          .code = "usage",
          .what = std::move(what),
          .why = std::move(why),
          .next = "see kelvin " + (path.empty() ? "" : words_of(path) + " ") + "--help"};
}

Failure unknown_verb(const std::vector<const Verb*>& path, const std::vector<Verb>& known,
                     const std::string& word) {
  std::vector<std::string> names;
  for (const Verb& verb : known) {
    if (verb.group != Group::Hidden) names.push_back(verb.name);
  }
  const std::string place = path.empty() ? "" : " of " + words_of(path);
  Failure failure = usage_failure(path, "there is no verb \"" + word + "\"" + place);
  const std::string near = nearest(word, names);
  if (!near.empty()) failure.why = "did you mean \"" + near + "\"?";
  return failure;
}

Failure unexpected_words(const std::vector<const Verb*>& path,
                         const std::vector<std::string>& extras) {
  const std::string& word = extras.front();
  if (path.empty()) return usage_failure(path, "unknown option " + word);
  const Verb& verb = *path.back();
  if (!word.starts_with('-'))
    return usage_failure(path, "unexpected \"" + word + "\"",
                         words_of(path) + " takes no more words");
  const std::string near = nearest(word.substr(0, word.find('=')), option_names(verb));
  return usage_failure(path, "unknown option " + word,
                       near.empty() ? "" : "did you mean " + near + "?");
}

std::string first_missing(const CLI::App& app, const Verb& verb) {
  for (const Positional& positional : verb.positionals) {
    const CLI::Option* option = app.get_option_no_throw(positional.name);
    if (positional.need == Need::Required && option != nullptr && option->count() == 0)
      return positional.name;
  }
  for (const Option& option : verb.options) {
    const CLI::Option* parsed = app.get_option_no_throw(longest_name(option));
    if (option.is_required && parsed != nullptr && parsed->count() == 0)
      return longest_name(option);
  }
  return "";
}

const CLI::App* deepest(const CLI::App& app) {
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  return at;
}

Failure failure_of(const CLI::ParseError& error, const CLI::App& app,
                   const std::vector<const Verb*>& path) {
  const auto kind = static_cast<CLI::ExitCodes>(error.get_exit_code());
  const CLI::App& at = *deepest(app);
  if (kind == CLI::ExitCodes::ExtrasError) return unexpected_words(path, app.remaining(true));
  if (kind == CLI::ExitCodes::RequiredError && !path.empty() && !path.back()->verbs.empty()) {
    std::string names;
    for (const Verb& verb : path.back()->verbs) names += (names.empty() ? "" : ", ") + verb.name;
    return usage_failure(path, words_of(path) + " needs one of " + names);
  }
  if (kind == CLI::ExitCodes::RequiredError && !path.empty()) {
    return usage_failure(path, words_of(path) + " needs " + first_missing(at, *path.back()));
  }
  if (kind == CLI::ExitCodes::ArgumentMismatch) {
    const std::string sentence = error.what();  // "--min: 1 required TEXT missing"
    return usage_failure(path, sentence.substr(0, sentence.find(':')) + " needs a value");
  }
  return usage_failure(path, error.what());
}

// Options that were not given take the value of their variable.
std::optional<Failure> read_variables(Parser& parser, const std::vector<const Verb*>& path,
                                      const Surroundings& surroundings) {
  for (const Placed& placed : parser.placed) {
    // Of the verb that was named; others share neither targets nor meaning.
    const bool is_ours = placed.parsed->count() == 0 && !placed.option.variable.empty() &&
                         std::ranges::any_of(path.back()->options, [&](const Option& option) {
                           return option.into == placed.option.into;
                         });
    if (!is_ours) continue;
    const auto value = surroundings.variable(placed.option.variable);
    if (!value || value->empty()) {
      if (placed.option.is_required)
        return usage_failure(path, words_of(path) + " needs " + longest_name(placed.option));
      continue;
    }
    const auto bad = assign(placed.option.into, *value);
    if (bad)
      return usage_failure(path, placed.option.variable + ": expected " + bad->expected +
                                     ", found \"" + *value + "\"");
  }
  return std::nullopt;
}

ExitCode show_help(const Cli& cli, const std::vector<const Verb*>& path, const Session& session) {
  if (path.empty()) {
    session.print(render_overview(cli, session.page()));
    return ExitCode::Ok;
  }
  session.print(render_help(find_help(path.front()->name).value_or(""), session.page()));
  return ExitCode::Ok;
}

// The first word that is neither an option nor a verb, where a verb is due; its place is after `path`.
std::optional<Failure> find_unknown_verb(const Cli& cli, const std::vector<const Verb*>& path,
                                         const std::vector<std::string>& words) {
  const std::vector<Verb>& due = path.empty() ? cli.verbs : path.back()->verbs;
  if (due.empty()) return std::nullopt;
  std::size_t seen = 0;
  for (const std::string& word : words) {
    if (word.starts_with('-')) continue;
    if (seen++ < path.size()) continue;
    return unknown_verb(path, due, word);
  }
  return std::nullopt;
}

bool has_word(const std::vector<std::string>& words, std::string_view wanted) {
  const auto end = std::ranges::find(words, "--");
  return std::find(words.begin(), end, wanted) != end;
}

ExitCode parse_and_run(const Cli& cli, const std::vector<std::string>& words,
                       const Surroundings& surroundings) {
  const std::vector<const Verb*> path = walk(cli, words);
  Parser parser;
  parser.app.require_subcommand(1);
  for (const Verb& verb : cli.verbs) place_verb(parser, parser.app, verb);
  std::vector<std::string> backwards(words.rbegin(), words.rend());
  Shared plain{.wants_json = has_word(words, "--json")};
  try {
    parser.app.parse(backwards);
  } catch (const CLI::CallForHelp&) {
    return show_help(cli, path, Session(surroundings, plain));
  } catch (const CLI::ParseError& error) {
    return Session(surroundings, plain).fail(failure_of(error, parser.app, path));
  }
  const auto failure = read_variables(parser, path, surroundings);
  if (failure) return Session(surroundings, plain).fail(*failure);
  Session session(surroundings, parser.shared);
  return path.back()->run(session);
}

// `kelvin --json --server URL ps`: shared options may stand before the verb, from where they are moved behind it.
std::vector<std::string> take_leading_options(std::vector<std::string>& words) {
  std::vector<std::string> leading;
  const auto take = [&](std::size_t count) {
    const auto end = words.begin() + static_cast<std::ptrdiff_t>(std::min(count, words.size()));
    leading.insert(leading.end(), words.begin(), end);
    words.erase(words.begin(), end);
  };
  while (!words.empty()) {
    const std::string& word = words.front();
    const bool has_value_inside = word.starts_with("--server=") || word.starts_with("--data=");
    if (word == "--json" || has_value_inside) {
      take(1);
    } else if (word == "--server" || word == "--data") {
      take(2);
    } else {
      break;
    }
  }
  return leading;
}

}  // namespace

std::vector<Option> shared_options(const Verb& verb, Shared& shared) {
  std::vector<Option> options;
  if (!verb.verbs.empty()) return options;
  options.push_back({.names = "--json", .summary = "print JSON", .into = &shared.wants_json});
  if (verb.reach == Reach::Nobody) return options;
  options.push_back({.names = "--server",
                     .value = "URL",
                     .summary = "the server's address",
                     .into = &shared.wanted.server});
  options.push_back({.names = "--data",
                     .value = "DIR",
                     .summary = "the server's data folder",
                     .into = &shared.wanted.data});
  return options;
}

ExitCode run_command_line(const Cli& cli, const std::vector<std::string>& words,
                          const Surroundings& surroundings) {
  const Session session(surroundings, {.wants_json = has_word(words, "--json")});
  if (words.empty()) {
    session.say(render_overview(cli, session.err_page()));
    return ExitCode::Usage;
  }
  std::vector<std::string> asked = words;
  const std::vector<std::string> leading = take_leading_options(asked);
  const std::string first = asked.empty() ? "" : asked.front();
  if (first == "--version") asked.front() = "version";
  if (first == "help") {
    asked.erase(asked.begin());
    asked.push_back("--help");
  }
  const auto path = walk(cli, asked);
  if (path.empty() && (has_word(asked, "--help") || has_word(asked, "-h"))) {
    const auto unknown = find_unknown_verb(cli, path, asked);
    return unknown ? session.fail(*unknown) : show_help(cli, path, session);
  }
  const auto unknown = find_unknown_verb(cli, path, asked);
  if (unknown) return session.fail(*unknown);
  if (asked.empty()) return session.fail(usage_failure({}, "a verb is missing"));
  if (first.starts_with('-') && first != "--version")
    return session.fail(unexpected_words({}, asked));
  asked.insert(asked.begin() + static_cast<std::ptrdiff_t>(path.size()), leading.begin(),
               leading.end());
  return parse_and_run(cli, asked, surroundings);
}

}  // namespace kelvin::cli
