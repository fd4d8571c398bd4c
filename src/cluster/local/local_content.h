// local_content: the content store of this machine behind the port, and the look-up of programs.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ports/content.h"
#include "weights/content_store.h"

namespace kelvin::cluster::local {

struct ContentOptions {
  std::string data;  // the data folder: absolute, and it exists
  // Where programs named without a '/' are looked for, in the form of PATH. Empty: PATH of this process, else the
  // usual folders of the system. Parts that are not absolute are passed over: they would mean another folder for
  // every program that reads them.
  std::string search_path;
  weights::StoreLimits limits;
};

// One per data folder and process.
class LocalContent final : public ports::Content {
 public:
  static Result<std::unique_ptr<LocalContent>> open(const ContentOptions& options);

  bool has(std::string_view sha256) override;
  Result<std::unique_ptr<ports::ContentWriter>> begin(std::string_view sha256, Bytes size) override;
  Result<ports::PlacedTree> place(const ports::ContentTree& tree) override;
  // Invalid, with what was looked for, where, and what to do. A path inside the folder is found without following any
  // link, so that it cannot lead out of it.
  Result<std::string> find_program(std::string_view name, std::string_view folder) override;
  Status collect(const std::vector<std::string>& folders_kept) override;

 private:
  LocalContent(std::unique_ptr<weights::ContentStore> store, std::vector<std::string> search)
      : store_(std::move(store)), search_(std::move(search)) {}

  Result<std::string> find_in_folder(const std::string& name, const std::string& folder) const;
  Result<std::string> find_in_search(const std::string& name, const std::string& folder) const;

  std::unique_ptr<weights::ContentStore> store_;
  std::vector<std::string> search_;  // absolute folders
};

}  // namespace kelvin::cluster::local
