// Deploy: app file and content become a revision, or nothing changes and every complaint is said.
//
// The client offers the app first; content that the server lacks is answered with its hashes, sent by PUT /content,
// and the offer is repeated. A revision that would equal the active one is not made again, but still told to control,
// which takes it as a wish to try a failing app afresh.
#include <memory>
#include <set>

#include "api/bodies.h"
#include "api/routes.h"
#include "api/views.h"
#include "schedule/zone.h"

namespace kelvin::api {

namespace {

OrProblem<appfile::ParsedApp> parse_app_file(const DeployBody& body) {
  auto parsed = appfile::parse(body.file, body.file_name);
  if (parsed) return std::move(*parsed);
  const std::size_t count = parsed.error().size();
  return refuse(
      {.status = 422,
       .code = "app_file_invalid",
       .detail = count == 1 ? "The app file has a mistake." : "The app file has mistakes.",
       .next = "Correct the file and deploy again; nothing has changed.",
       .complaints = std::move(parsed.error())});
}

OrProblem<void> check_zones(const appfile::ParsedApp& app) {
  std::vector<appfile::Complaint> complaints;
  const std::vector<model::ScheduleRule>& rules = app.spec.scale.schedule;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const auto zone = schedule::Zone::find(rules[i].zone);
    if (zone) continue;
    const std::string key = "scale.schedule." + std::to_string(i) + ".zone";
    complaints.push_back(appfile::complaint_at(app, key, rules[i].zone, zone.error().what));
  }
  if (complaints.empty()) return {};
  return refuse({.status = 422,
                 .code = "zone_not_found",
                 .detail = "The app's schedule names a time zone that this server does not know.",
                 .next = "Correct the zone and deploy again; nothing has changed.",
                 .complaints = std::move(complaints)});
}

OrProblem<void> check_model(const appfile::ParsedApp& app, const ports::ContentTree& tree) {
  const bool is_sent = !tree.model_name.empty();
  if (app.spec.model.empty() && is_sent) {
    return refuse(bad_request("A model was sent, but the app file names none."));
  }
  if (app.spec.model.empty() || is_sent) return {};
  const std::string sentence =
      "the model '" + app.spec.model + "' did not come with the app; check its path";
  return refuse({.status = 422,
                 .code = "model_missing",
                 .detail = "The model that the app file names did not come with it.",
                 .next = "Check the path of the model and deploy again; nothing has changed.",
                 .complaints = {appfile::complaint_at(app, "model", app.spec.model, sentence)}});
}

std::vector<std::string> missing_content(ports::Content& content, const ports::ContentTree& tree) {
  std::set<std::string> asked;
  std::vector<std::string> missing;
  for (const auto* files : {&tree.folder, &tree.model}) {
    for (const ports::ContentFile& file : *files) {
      if (asked.insert(file.sha256).second && !content.has(file.sha256))
        missing.push_back(file.sha256);
    }
  }
  return missing;
}

tl::unexpected<Problem> refuse_missing(std::vector<std::string> missing) {
  return refuse(
      {.status = 409,
       .code = "content_missing",
       .detail = "The server lacks " + std::to_string(missing.size()) + " of the app's files.",
       .next = "Send each by PUT /api/v1/content/SHA256, then deploy again.",
       .missing = std::move(missing)});
}

OrProblem<ports::PlacedTree> place(Service& service, const ports::ContentTree& tree) {
  ports::Content& content = service.ports.content;
  std::vector<std::string> missing = missing_content(content, tree);
  if (!missing.empty()) return refuse_missing(std::move(missing));
  Result<ports::PlacedTree> placed = content.place(tree);
  if (placed) return std::move(*placed);
  if (placed.error().code == Code::NotFound) {  // collected between the two calls
    missing = missing_content(content, tree);
    if (!missing.empty()) return refuse_missing(std::move(missing));
  }
  return refuse(to_problem(std::move(placed).error()));
}

OrProblem<std::string> find_program(Service& service, const appfile::ParsedApp& app,
                                    const std::string& folder) {
  const std::string& name = app.spec.command.front();
  Result<std::string> program = service.ports.content.find_program(name, folder);
  if (program) return std::move(*program);
  const bool is_clients_fault = program.error().code == Code::NotFound ||
                                program.error().code == Code::Invalid ||
                                program.error().code == Code::Refused;
  if (!is_clients_fault) return refuse(to_problem(std::move(program).error()));
  return refuse(
      {.status = 422,
       .code = "command_not_found",
       .detail = "The app's command cannot be run: " + program.error().what + ".",
       .next =
           "Correct the command or install the program, then deploy again; nothing has changed.",
       .complaints = {appfile::complaint_at(app, "command.0", name, program.error().what)}});
}

bool is_same(const model::Revision& active, const model::Revision& wanted) {
  return active.spec == wanted.spec && active.folder == wanted.folder &&
         active.program == wanted.program && active.model_path == wanted.model_path;
}

struct Deployed {
  model::Revision revision;
  bool is_unchanged = false;
};

// Stores the revision unless the app has it already, and tells control.
Result<Deployed> apply(Service& service, model::Revision wanted) {
  const std::scoped_lock lock(service.changes);
  const OrProblem<model::AppView> app = find_app(service, wanted.spec.name);
  Deployed deployed;
  if (app && is_same(app->revision, wanted)) {
    deployed = {.revision = app->revision, .is_unchanged = true};
  } else {
    KELVIN_TRY(deployed.revision, service.ports.store.add_revision(std::move(wanted)));
  }
  service.ports.control.post(model::RevisionDeployed{
      .revision = std::make_shared<const model::Revision>(deployed.revision)});
  return deployed;
}

}  // namespace

Answer deploy(Service& service, Call& call) {
  KELVIN_ANSWER_TRY_VOID(call.query.check_all_read());
  KELVIN_ANSWER_TRY(const std::string text, read_text(call, service.options.limits.deploy_max));
  KELVIN_ANSWER_TRY(const DeployBody body, parse_deploy(text));
  KELVIN_ANSWER_TRY(const appfile::ParsedApp app, parse_app_file(body));
  KELVIN_ANSWER_TRY_VOID(check_zones(app));
  KELVIN_ANSWER_TRY_VOID(check_model(app, body.tree));
  KELVIN_ANSWER_TRY(const ports::PlacedTree placed, place(service, body.tree));
  service.collector.request();  // of what earlier deploys left, or this one if it is refused below
  KELVIN_ANSWER_TRY(std::string program, find_program(service, app, placed.folder));
  model::Revision wanted{.spec = app.spec,
                         .folder = placed.folder,
                         .program = std::move(program),
                         .model_path = placed.model_path,
                         .created_unix_ms = service.unix_ms_now()};
  KELVIN_ANSWER_TRY(const Deployed deployed, apply(service, std::move(wanted)));
  const std::optional<model::AppView> view = service.ports.control.find_app(deployed.revision.app);
  if (!view) {
    return refuse({.status = 409,
                   .code = "app_deleted",
                   .detail = "The app was deleted while it was deployed.",
                   .next = "Deploy it again if it is still wanted."});
  }
  JsonWriter json;
  json.open_object();
  write_app(json, "app", service, *view);
  json.boolean("is_unchanged", deployed.is_unchanged);
  json.close_object();
  return json_reply(json.take());
}

}  // namespace kelvin::api
