#include <charconv>
#include <memory>

#include "cli/api.h"
#include "cli/render.h"
#include "cli/session.h"
#include "cli/verb.h"

namespace kelvin::cli {

namespace {

struct TrafficWanted {
  std::string app;
  std::vector<std::string> shares;
  bool follows_latest = false;
  bool pauses = false;
  bool resumes = false;
  bool promotes = false;
  bool aborts = false;
};

Failure usage_failure(std::string what) {
  return {.exit = ExitCode::Usage,
          .code = "usage",
          .what = std::move(what),
          .why = "a share is REVISION=PERCENT, such as 3=90, and all shares sum to 100",
          .next = "see kelvin traffic --help"};
}

// "3=90".
std::optional<wire::Share> parse_share(const std::string& word) {
  const std::size_t equals = word.find('=');
  if (equals == std::string::npos) return std::nullopt;
  wire::Share share;
  const auto read = [](std::string_view text, std::uint32_t& into) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
    return error == std::errc() && end == text.data() + text.size() && into > 0;
  };
  const std::string_view text = word;
  if (!read(text.substr(0, equals), share.revision)) return std::nullopt;
  if (!read(text.substr(equals + 1), share.percent) || share.percent > 100) return std::nullopt;
  return share;
}

Attempt<std::vector<wire::Share>> parse_shares(const std::vector<std::string>& words) {
  std::vector<wire::Share> shares;
  std::uint32_t sum = 0;
  for (const std::string& word : words) {
    const auto share = parse_share(word);
    if (!share) return failed(usage_failure("\"" + word + "\" is no share"));
    sum += share->percent;
    shares.push_back(*share);
  }
  if (!shares.empty() && sum != 100)
    return failed(usage_failure("the shares sum to " + std::to_string(sum)));
  return shares;
}

ExitCode show(Session& session, const std::string& answer) {
  const auto app = wire::read_app(answer);
  if (!app) return session.fail(app.error());
  if (session.wants_json()) {
    session.print_json(answer);
    return ExitCode::Ok;
  }
  const std::string shares = traffic_text(*app);
  const std::string all =
      "all to revision " + std::to_string(app->revision) + ", as after each deploy";
  session.print(app->name + ": " + (shares.empty() ? all : shares) + "\n");
  if (app->rollout) session.print(rollout_text(*app, session.page()) + "\n");
  return ExitCode::Ok;
}

// What is wanted of the rollout that is under way; nothing: none of it. More than one: the words are wrong.
std::vector<std::string_view> wishes_of(const TrafficWanted& wanted) {
  std::vector<std::string_view> wishes;
  if (wanted.pauses) wishes.emplace_back("pause");
  if (wanted.resumes) wishes.emplace_back("resume");
  if (wanted.promotes) wishes.emplace_back("promote");
  if (wanted.aborts) wishes.emplace_back("abort");
  return wishes;
}

ExitCode steer_rollout(Session& session, const TrafficWanted& wanted, std::string_view wish) {
  const auto answer =
      session.api().post(app_path(wanted.app) + "/rollout", wire::write_rollout(wish));
  if (!answer) return session.fail(answer.error());
  return show(session, *answer);
}

ExitCode split_traffic(Session& session, const TrafficWanted& wanted) {
  const std::vector<std::string_view> wishes = wishes_of(wanted);
  const std::size_t asked =
      wishes.size() + (wanted.follows_latest ? 1 : 0) + (wanted.shares.empty() ? 0 : 1);
  if (asked > 1)
    return session.fail(usage_failure(
        "shares, --latest, --pause, --resume, --promote and --abort exclude each other"));
  if (!wishes.empty()) return steer_rollout(session, wanted, wishes[0]);
  const auto shares = parse_shares(wanted.shares);
  if (!shares) return session.fail(shares.error());
  const bool only_shows = shares->empty() && !wanted.follows_latest;
  const auto answer = only_shows ? session.api().get(app_path(wanted.app))
                                 : session.api().post(app_path(wanted.app) + "/traffic",
                                                      wire::write_traffic(*shares));
  if (!answer) return session.fail(answer.error());
  return show(session, *answer);
}

}  // namespace

void add_traffic(Cli& cli) {
  const auto wanted = std::make_shared<TrafficWanted>();
  cli.verbs.push_back(
      {.name = "traffic",
       .summary = "split an app's requests over its revisions, or steer a rollout",
       .group = Group::Steer,
       .positionals = {{.name = "APP", .into = &wanted->app},
                       {.name = "SHARE", .need = Need::Optional, .into = &wanted->shares}},
       .options =
           {{.names = "--latest",
             .value = "",
             .summary = "all to the latest again",
             .into = &wanted->follows_latest},
            {.names = "--pause",
             .value = "",
             .summary = "the rollout goes no further",
             .into = &wanted->pauses},
            {.names = "--resume", .value = "", .summary = "it goes on", .into = &wanted->resumes},
            {.names = "--promote",
             .value = "",
             .summary = "the new revision takes all at once",
             .into = &wanted->promotes},
            {.names = "--abort",
             .value = "",
             .summary = "the old revision takes all again",
             .into = &wanted->aborts}},
       .run = [wanted](Session& session) { return split_traffic(session, *wanted); }});
}

}  // namespace kelvin::cli
