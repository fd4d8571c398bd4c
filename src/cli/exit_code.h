// exit_code: what the program's exit status says; stable, documented in every verb's help.
#pragma once

namespace kelvin::cli {

enum class ExitCode : int {
  Ok = 0,
  Failed = 1,
  Usage = 2,        // the command line or the app file is wrong
  NotFound = 3,     // no such app, replica, request, key or revision
  Refused = 4,      // no key, an unknown key, or a key that may not do this
  Conflict = 5,     // the state of things forbids it
  TimedOut = 6,     // a deadline passed
  Unreachable = 7,  // no server answered
};

}  // namespace kelvin::cli
