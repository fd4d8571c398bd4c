#include "cli/tenure.h"

#include <utility>

#include "cli/platform.h"

namespace kelvin::cli {

Result<std::unique_ptr<Tenure>> Tenure::open(const PlatformOptions& options, obs::Log& log,
                                             DataFolder::For purpose) {
  KELVIN_TRY(DataFolder folder, DataFolder::open(options.data, purpose));
  std::unique_ptr<Tenure> made(new Tenure(std::move(folder)));
  KELVIN_TRY(made->admin_token, made->folder.admin_token());
  KELVIN_TRY(made->store, store::SqliteStore::open(made->folder.file("kelvin.db")));
  KELVIN_TRY(made->epoch, made->store->next_epoch());
  KELVIN_TRY(made->content, cluster::local::LocalContent::open(
                                {.data = made->folder.path(), .search_path = options.search_path}));
  cluster::local::ClusterOptions here{
      .data = made->folder.path(), .program = options.program, .cpu_slots = options.cpu_slots};
  if (!options.search_path.empty()) here.search_path = options.search_path;
  KELVIN_TRY(made->cluster, cluster::local::LocalCluster::open(std::move(here), log));
  made->logs = std::make_unique<cluster::local::LocalLogs>(made->folder.path());
  return made;
}

// What the cluster still posts goes to a shell that lives.
Tenure::~Tenure() {
  api.reset();
  if (cluster) cluster->end_thread();
  shell.reset();
}

}  // namespace kelvin::cli
