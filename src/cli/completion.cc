#include "cli/completion.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "cli/command_line.h"

namespace kelvin::cli {

namespace {

struct Named {
  std::vector<std::string> names;  // "-f", "--follow"
  std::string summary;
  std::string value;
};

std::vector<std::string> split(const std::string& names) {
  std::vector<std::string> out;
  std::size_t from = 0;
  for (std::size_t comma = names.find(','); comma != std::string::npos;
       comma = names.find(',', from)) {
    out.push_back(names.substr(from, comma - from));
    from = comma + 1;
  }
  out.push_back(names.substr(from));
  return out;
}

std::vector<Named> options_of(const Verb& verb) {
  Shared nowhere;
  std::vector<Named> out;
  for (const Option& option : verb.options)
    out.push_back({split(option.names), option.summary, option.value});
  for (const Option& option : shared_options(verb, nowhere))
    out.push_back({split(option.names), option.summary, option.value});
  out.push_back({{"-h", "--help"}, "examples and options", ""});
  return out;
}

bool takes(const Verb& verb, std::string_view positional) {
  for (const Positional& one : verb.positionals) {
    if (one.name == positional) return true;
  }
  return false;
}

// A verb that wants an app, or something that may be one.
bool takes_app(const Verb& verb) { return takes(verb, "APP") || takes(verb, "SUBJECT"); }

// A verb after whose words the names of files are worth offering.
bool takes_file(const Verb& verb) {
  if (takes(verb, "FILE")) return true;
  return std::ranges::any_of(verb.options,
                             [](const Option& option) { return option.value == "FILE"; });
}

std::string words_of(const std::vector<Named>& options) {
  std::string out;
  for (const Named& option : options) {
    for (const std::string& name : option.names) out += (out.empty() ? "" : " ") + name;
  }
  return out;
}

std::string verb_names(const std::vector<Verb>& verbs) {
  std::string out;
  for (const Verb& verb : verbs) {
    if (verb.group != Group::Hidden) out += (out.empty() ? "" : " ") + verb.name;
  }
  return out;
}

// Calls `with` for each verb that can be run, with the words that lead to it: "ps", "keys create".
template <class With>
void for_each_verb(const std::vector<Verb>& verbs, const std::string& before, const With& with) {
  for (const Verb& verb : verbs) {
    if (verb.group == Group::Hidden) continue;
    const std::string path = before + verb.name;
    if (verb.verbs.empty()) with(verb, path);
    for_each_verb(verb.verbs, path + " ", with);
  }
}

std::string bash_script(const Cli& cli) {
  std::string cases;
  for (const Verb& verb : cli.verbs) {
    if (verb.verbs.empty() || verb.group == Group::Hidden) continue;
    cases += fmt::format("    \"{}\") words=\"{}\" ;;\n", verb.name, verb_names(verb.verbs));
  }
  for_each_verb(cli.verbs, "", [&cases](const Verb& verb, const std::string& path) {
    std::string rest;
    if (takes_app(verb)) rest = " apps=1";
    if (takes_file(verb)) rest = " files=1";
    if (verb.name == "completion") rest = " words=\"bash zsh fish\"";
    cases +=
        fmt::format("    \"{}\") options=\"{}\"{} ;;\n", path, words_of(options_of(verb)), rest);
  });
  return fmt::format(
      R"script(# bash completion for kelvin; load it with: source <(kelvin completion bash)
_kelvin() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} path="" place=0 word at
  local words="" options="" apps="" files=""
  COMPREPLY=()
  for ((at = 1; at < COMP_CWORD; at++)); do
    word=${{COMP_WORDS[at]}}
    [[ $word == -* ]] && continue
    case $path in
      "") path=$word ;;
      keys) path="keys $word" ;;
      *) place=$((place + 1)) ;;
    esac
  done
  case $path in
    "") words="{}" options="--help --version" ;;
{}  esac
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$current"))
  elif [[ -n $apps && $place -eq 0 ]]; then
    COMPREPLY=($(compgen -W "$(kelvin apps --names 2>/dev/null)" -- "$current"))
  elif [[ -n $files ]]; then
    COMPREPLY=($(compgen -f -- "$current"))
  elif [[ $place -eq 0 ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  fi
}}
complete -o filenames -F _kelvin kelvin
)script",
      verb_names(cli.verbs), cases);
}

// For single quotes in every shell here.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// In zsh's option descriptions a colon and brackets mean something.
std::string zsh_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == ':' || c == '[' || c == ']') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_arguments(const Verb& verb) {
  std::string out;
  for (const Named& option : options_of(verb)) {
    for (const std::string& name : option.names) {
      std::string value = option.value.empty() ? "" : ":" + zsh_text(option.value) + ":";
      if (option.value == "FILE") value += "_files";
      out += " \\\n        " + quoted("*" + name + "[" + zsh_text(option.summary) + "]" + value);
    }
  }
  if (takes_app(verb)) out += " \\\n        '1:app:_kelvin_apps'";
  if (takes(verb, "FILE")) out += " \\\n        '1:file:_files'";
  if (verb.name == "completion") out += " \\\n        '1:shell:(bash zsh fish)'";
  return out;
}

std::string zsh_list(const std::vector<Verb>& verbs, const std::string& indent) {
  std::string out;
  for (const Verb& verb : verbs) {
    if (verb.group != Group::Hidden)
      out += indent + quoted(verb.name + ":" + zsh_text(verb.summary)) + "\n";
  }
  return out;
}

std::string zsh_case(const Verb& verb) {
  if (verb.verbs.empty()) {
    return fmt::format("    {})\n      _arguments{}\n      ;;\n", verb.name, zsh_arguments(verb));
  }
  std::string inner;
  for (const Verb& one : verb.verbs) {
    inner += fmt::format("        {})\n      _arguments{}\n          ;;\n", one.name,
                         zsh_arguments(one));
  }
  return fmt::format(R"script(    {})
      if ((CURRENT == 2)); then
        verbs=(
{}        )
        _describe verb verbs
        return
      fi
      shift words
      ((CURRENT--))
      case $words[1] in
{}      esac
      ;;
)script",
                     verb.name, zsh_list(verb.verbs, "          "), inner);
}

std::string zsh_script(const Cli& cli) {
  std::string cases;
  for (const Verb& verb : cli.verbs) {
    if (verb.group != Group::Hidden) cases += zsh_case(verb);
  }
  return fmt::format(R"script(#compdef kelvin
# zsh completion for kelvin; load it with: source <(kelvin completion zsh)
_kelvin_apps() {{
  local -a names
  names=(${{(f)"$(kelvin apps --names 2>/dev/null)"}})
  compadd -a names
}}
_kelvin() {{
  local -a verbs
  if ((CURRENT == 2)); then
    verbs=(
{}    )
    _describe verb verbs
    return
  fi
  shift words
  ((CURRENT--))
  case $words[1] in
{}  esac
}}
compdef _kelvin kelvin
)script",
                     zsh_list(cli.verbs, "      "), cases);
}

std::string fish_option(const Named& option, const std::string& condition) {
  std::string out = "complete -c kelvin -n " + quoted(condition);
  for (const std::string& name : option.names) {
    out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  if (option.value == "FILE") {
    out += " -r -F";
  } else if (!option.value.empty()) {
    out += " -x";
  }
  return out + " -d " + quoted(option.summary) + "\n";
}

std::string fish_verb(const Verb& verb, const std::string& path) {
  std::string condition;
  for (std::size_t from = 0; from <= path.size();) {
    const std::size_t end = std::min(path.find(' ', from), path.size());
    condition += (condition.empty() ? "" : "; and ") + std::string("__fish_seen_subcommand_from ") +
                 path.substr(from, end - from);
    from = end + 1;
  }
  std::string out;
  for (const Named& option : options_of(verb)) out += fish_option(option, condition);
  if (takes_app(verb))
    out +=
        "complete -c kelvin -n " + quoted(condition) + " -a '(kelvin apps --names 2>/dev/null)'\n";
  if (takes(verb, "FILE")) out += "complete -c kelvin -n " + quoted(condition) + " -F\n";
  if (verb.name == "completion")
    out += "complete -c kelvin -n " + quoted(condition) + " -a 'bash zsh fish'\n";
  return out;
}

std::string fish_script(const Cli& cli) {
  std::string out =
      "# fish completion for kelvin; load it with: kelvin completion fish | source\ncomplete -c "
      "kelvin -f\n";
  for (const Verb& verb : cli.verbs) {
    if (verb.group == Group::Hidden) continue;
    out += fmt::format("complete -c kelvin -n __fish_use_subcommand -a {} -d {}\n", verb.name,
                       quoted(verb.summary));
    const std::string missing =
        fmt::format("__fish_seen_subcommand_from {}; and not __fish_seen_subcommand_from {}",
                    verb.name, verb_names(verb.verbs));
    for (const Verb& inner : verb.verbs) {
      out += fmt::format("complete -c kelvin -n {} -a {} -d {}\n", quoted(missing), inner.name,
                         quoted(inner.summary));
    }
  }
  for_each_verb(cli.verbs, "", [&out](const Verb& verb, const std::string& path) {
    out += fish_verb(verb, path);
  });
  return out;
}

}  // namespace

std::optional<std::string> completion_script(const Cli& cli, std::string_view shell) {
  if (shell == "bash") return bash_script(cli);
  if (shell == "zsh") return zsh_script(cli);
  if (shell == "fish") return fish_script(cli);
  return std::nullopt;
}

}  // namespace kelvin::cli
