// routes: what one loop knows about apps.
#include "gateway/routes.h"

#include <utility>

namespace kelvin::gateway {
namespace {

std::string key_of(std::string_view workspace, std::string_view name) {
  std::string key(workspace.empty() ? "default" : workspace);
  key += '/';
  key += name;
  return key;
}

}  // namespace

std::shared_ptr<const AppRoute> RouteTable::change(std::shared_ptr<const AppRoute> entry) {
  const AppId app = entry->route.app;
  std::shared_ptr<const AppRoute> before;
  if (const auto found = by_id_.find(app); found != by_id_.end()) {
    before = std::move(found->second);
    by_id_.erase(found);
    const auto named = by_name_.find(key_of(before->route.workspace, before->route.name));
    // A later app may have taken over the name of one that is being deleted.
    if (named != by_name_.end() && named->second->route.app == app) by_name_.erase(named);
  }
  if (entry->route.is_gone) return before;
  by_name_[key_of(entry->route.workspace, entry->route.name)] = entry;
  by_id_[app] = std::move(entry);
  return before;
}

std::shared_ptr<const AppRoute> RouteTable::find(std::string_view workspace,
                                                 std::string_view name) const {
  const auto found = by_name_.find(key_of(workspace, name));
  return found == by_name_.end() ? nullptr : found->second;
}

}  // namespace kelvin::gateway
