// schedule: replicas that are kept warm at certain times.
//
// The core knows no time of day. It says which schedule counts (FollowSchedule), and whoever has a clock on the wall says
// what that keeps warm, at once and again whenever it changes (ScheduleChanged). What was said holds until then; nothing
// of it is kept over a start of the platform, because it is asked for anew.
#include "core/control/steps.h"
#include "core/words.h"

namespace kelvin::control {

void follow_schedule(Step& step, App& app) {
  std::vector<model::ScheduleRule> rules;
  if (!app.is_deleted) rules = record_at(app, app.active).revision->spec.scale.schedule;
  if (app.followed == rules) return;
  app.followed = rules;
  app.scheduled = {};
  step.emit(model::FollowSchedule{.app = app.id, .rules = std::move(rules)});
}

void on(Step& step, const model::ScheduleChanged& event) {
  App* app = find_app(step.world, event.app);
  if (app == nullptr || app->is_deleted || app->followed.empty()) return;
  if (app->scheduled == event.floor) return;
  app->scheduled = event.floor;
  decide(step, about(*app), "schedule",
         "the schedule keeps " + event.floor.words + "; min is " +
             std::to_string(app->replicas_min) + ", max " + std::to_string(app->replicas_max));
  ensure_minimum(step, *app);
  arm_cooling_of_all(step, *app);
  renew_spares(step, *app);
  serve_queue(step, *app);
}

}  // namespace kelvin::control
