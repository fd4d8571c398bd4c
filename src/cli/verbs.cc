#include "cli/verb.h"

namespace kelvin::cli {

void add_client_verbs(Cli& cli) {
  add_status(cli);
  add_upgrade(cli);
  add_deploy(cli);
  add_apps(cli);
  add_describe(cli);
  add_rollback(cli);
  add_delete(cli);
  add_call(cli);
  add_ps(cli);
  add_logs(cli);
  add_explain(cli);
  add_park(cli);
  add_wake(cli);
  add_scale(cli);
  add_traffic(cli);
  add_usage(cli);
  add_bill(cli);
  add_plan(cli);
  add_keys(cli);
  add_version(cli);
  add_completion(cli);
}

}  // namespace kelvin::cli
