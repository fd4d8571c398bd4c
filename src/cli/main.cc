// kelvin: the program. Wires the verbs to this process and decides nothing.
#include "cli/command_line.h"
#include "cli/system.h"
#include "cli/verb.h"

int main(int count, char** words) {
  using namespace kelvin::cli;
  Cli cli;
#ifdef KELVIN_HAS_SERVE
  add_serve(cli);
  add_keeper(cli);
#endif
  add_client_verbs(cli);
  const Surroundings surroundings = system_surroundings();
  return static_cast<int>(run_command_line(cli, {words + 1, words + count}, surroundings));
}
