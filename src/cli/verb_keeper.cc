#include <memory>
#include <string>

#include "cli/address.h"
#include "cli/session.h"
#include "cli/verb.h"
#include "keeper/keeper.h"

namespace kelvin::cli {

void add_keeper(Cli& cli) {
  const auto data = std::make_shared<std::string>();
  cli.verbs.push_back(
      {.name = "keeper",
       .summary = "hold the replicas of a data folder (serve starts it)",
       .group = Group::Hidden,
       .reach = Reach::Nobody,
       .options =
           {{.names = "--data", .value = "DIR", .summary = "the data folder", .into = data.get()}},
       .run = [data](Session& session) {
         const Surroundings& here = session.surroundings();
         const std::string folder =
             find_data_folder({.server = {}, .data = *data}, {here.variable, here.is_root});
         return static_cast<ExitCode>(keeper::run({.data = folder, .log_limits = {}}));
       }});
}

}  // namespace kelvin::cli
