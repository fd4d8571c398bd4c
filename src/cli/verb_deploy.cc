#include <memory>
#include <numeric>

#include "cli/api.h"
#include "cli/parcel.h"
#include "cli/progress.h"
#include "cli/readiness.h"
#include "cli/render.h"
#include "cli/session.h"
#include "cli/units.h"
#include "cli/verb.h"

namespace kelvin::cli {

namespace {

struct DeployWanted {
  std::string file;
  bool waits = false;
  std::optional<Duration> timeout;
};

// Content that the server had a moment ago may have been collected; after this many rounds something else is wrong.
constexpr int kRoundsMax = 3;

Progress::Surface surface_of(const Session& session) {
  Terminal terminal = session.surroundings().err_terminal();
  if (session.wants_json()) terminal.is_terminal = false;
  return {terminal, session.surroundings().err, session.surroundings().now};
}

std::uint64_t bytes_of(const Parcel& parcel, const std::string& sha256) {
  for (const auto* files : {&parcel.deploy.folder, &parcel.deploy.model}) {
    for (const wire::ContentFile& file : *files) {
      if (file.sha256 == sha256) return file.bytes;
    }
  }
  return 0;
}

Attempt<void> upload(Session& session, const Parcel& parcel,
                     const std::vector<std::string>& missing) {
  std::uint64_t total = 0;
  for (const std::string& sha256 : missing) total += bytes_of(parcel, sha256);
  Progress progress(surface_of(session), "uploading");
  std::uint64_t before = 0;
  for (const std::string& sha256 : missing) {
    const auto source = parcel.sources.find(sha256);
    if (source == parcel.sources.end()) {
      return failed(
          {.code = "answer_not_understood",
           .what = "the server asks for content " + sha256 + ", which is not part of the app"});
    }
    const auto sent = session.api().put_content(sha256, source->second, [&](std::uint64_t bytes) {
      progress.update(before + bytes, total);
    });
    if (!sent) return failed(sent.error());
    before += bytes_of(parcel, sha256);
  }
  return {};
}

// Offers the app; sends what the server lacks and offers it again.
Attempt<std::string> offer(Session& session, const Parcel& parcel) {
  const std::string question = wire::write_deploy(parcel.deploy);
  for (int round = 1;; ++round) {
    auto answer = session.api().post("/deploy", question);
    const bool lacks_content =
        !answer && answer.error().code == "content_missing" && !answer.error().missing.empty();
    if (!lacks_content || round == kRoundsMax) return answer;
    const auto sent = upload(session, parcel, answer.error().missing);
    if (!sent) return failed(sent.error());
  }
}

ExitCode show(Session& session, const wire::Deployed& deployed, const std::string& answer,
              const DeployWanted& wanted) {
  if (session.wants_json()) {
    session.print_json(answer);
    return ExitCode::Ok;
  }
  session.print(render_deployed(deployed.app, session.page()));
  if (deployed.is_unchanged)
    session.say("Nothing has changed since this revision; it stays as it is.\n");
  if (!wanted.waits)
    session.say("Its first request starts it: kelvin call " + deployed.app.name + "\n");
  return ExitCode::Ok;
}

ExitCode deploy(Session& session, const DeployWanted& wanted) {
  Progress hashing(surface_of(session), "reading");
  const Packed packed = pack(
      wanted.file, [&](Bytes hashed, Bytes total) { hashing.update(hashed.count, total.count); });
  hashing.clear();
  if (!packed.parcel) return session.fail(packed.parcel.error(), packed.text);
  if (!session.wants_json()) {
    for (const std::string& skipped : packed.parcel->skipped)
      session.say("Left out " + skipped + "\n");
  }
  auto answer = offer(session, *packed.parcel);
  if (!answer) return session.fail(answer.error(), packed.text);
  const auto deployed = wire::read_deployed(*answer);
  if (!deployed) return session.fail(deployed.error());
  if (!wanted.waits) return show(session, *deployed, *answer, wanted);
  const Instant began = session.surroundings().now();
  const auto described =
      await_readiness(session, {.app = deployed->app.name,
                                .revision = deployed->app.revision,
                                .timeout = wanted.timeout.value_or(kReadinessTimeout)});
  if (!described) return session.fail(described.error());
  if (!session.wants_json()) {
    const Duration took = session.surroundings().now() - began;
    session.say(deployed->app.name + " was ready after " + duration_text(took.count() / 1000) +
                "\n");
  }
  return show(session, *deployed, *described, wanted);
}

}  // namespace

void add_deploy(Cli& cli) {
  const auto wanted = std::make_shared<DeployWanted>();
  cli.verbs.push_back({.name = "deploy",
                       .summary = "make an app, or its next revision, from an app file",
                       .group = Group::Apps,
                       .positionals = {{.name = "FILE", .into = &wanted->file}},
                       .options = {{.names = "--wait",
                                    .summary = "until a replica is ready",
                                    .into = &wanted->waits},
                                   {.names = "--timeout",
                                    .value = "TIME",
                                    .summary = "how long to wait",
                                    .into = &wanted->timeout}},
                       .run = [wanted](Session& session) { return deploy(session, *wanted); }});
}

}  // namespace kelvin::cli
