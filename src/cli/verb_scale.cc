#include <memory>

#include "cli/api.h"
#include "cli/render.h"
#include "cli/session.h"
#include "cli/verb.h"

namespace kelvin::cli {

namespace {

struct ScaleWanted {
  std::string app;
  std::optional<std::uint32_t> least;
  std::optional<std::uint32_t> most;
};

Failure usage_failure(std::string what) {
  return {.exit = ExitCode::Usage,
          .code = "usage",
          .what = std::move(what),
          .next = "see kelvin scale --help"};
}

// The bound that was not given stays as it is.
Attempt<ScaleWanted> completed(Session& session, ScaleWanted wanted) {
  if (wanted.least && wanted.most) return wanted;
  const auto answer = session.api().get(app_path(wanted.app));
  if (!answer) return failed(answer.error());
  const auto app = wire::read_app(*answer);
  if (!app) return failed(app.error());
  if (!wanted.least) wanted.least = app->scale_min;
  if (!wanted.most) wanted.most = app->scale_max;
  return wanted;
}

ExitCode scale_app(Session& session, const ScaleWanted& wanted) {
  if (!wanted.least && !wanted.most)
    return session.fail(usage_failure("scale needs --min, --max or both"));
  const auto bounds = completed(session, wanted);
  if (!bounds) return session.fail(bounds.error());
  if (*bounds->least > *bounds->most) {
    return session.fail(usage_failure("the minimum of " + std::to_string(*bounds->least) +
                                      " is above the maximum of " + std::to_string(*bounds->most)));
  }
  const auto answer = session.api().post(app_path(wanted.app) + "/scale",
                                         wire::write_scale(*bounds->least, *bounds->most));
  if (!answer) return session.fail(answer.error());
  const auto app = wire::read_app(*answer);
  if (!app) return session.fail(app.error());
  if (session.wants_json()) {
    session.print_json(*answer);
    return ExitCode::Ok;
  }
  session.print(app->name + ": " + std::to_string(app->scale_min) + " to " +
                std::to_string(app->scale_max) + " replicas\n");
  return ExitCode::Ok;
}

}  // namespace

void add_scale(Cli& cli) {
  const auto wanted = std::make_shared<ScaleWanted>();
  cli.verbs.push_back(
      {.name = "scale",
       .summary = "change how many replicas an app keeps and may have",
       .group = Group::Steer,
       .positionals = {{.name = "APP", .into = &wanted->app}},
       .options = {{.names = "--min", .value = "N", .summary = "kept warm", .into = &wanted->least},
                   {.names = "--max", .value = "N", .summary = "at most", .into = &wanted->most}},
       .run = [wanted](Session& session) { return scale_app(session, *wanted); }});
}

}  // namespace kelvin::cli
