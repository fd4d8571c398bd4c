// parcel: an app file with everything it brings, read from this machine and ready to be offered to a server.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "appfile/appfile.h"
#include "base/bytes.h"
#include "cli/failure.h"
#include "cli/wire.h"

namespace kelvin::cli {

struct Parcel {
  std::string app;  // its name
  wire::Deploy deploy;
  std::map<std::string, std::string> sources;  // where each content can be read, by hash
  std::vector<std::string> skipped;            // left out, each with its reason
};

struct ReadApp {
  std::string text;  // of the app file; failures point into it
  Attempt<appfile::ParsedApp> app;
};
// `path` is an app file, or a folder that holds kelvin.yaml. Nothing that the file names is looked at.
[[nodiscard]] ReadApp read_app(const std::string& path);

struct Packed {
  std::string text;  // of the app file; failures point into it
  Attempt<Parcel> parcel;
};

// `path` is as for read_app. Everything wrong with the file is in the failure, with positions. `progress` is given the bytes hashed so far and all there are, of the folder and then of the model.
[[nodiscard]] Packed pack(const std::string& path,
                          const std::function<void(Bytes, Bytes)>& progress);

}  // namespace kelvin::cli
