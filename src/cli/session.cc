#include "cli/session.h"

#include <utility>

#include "cli/api.h"
#include "cli/render.h"
#include "cli/wire.h"

namespace kelvin::cli {

namespace {

Page page_of(const Terminal& terminal, std::int64_t now_unix_ms) {
  return {.columns = terminal.columns,
          .has_colour = terminal.has_colour,
          .has_unicode = terminal.has_unicode,
          .now_unix_ms = now_unix_ms};
}

}  // namespace

Session::Session(const Surroundings& surroundings, Shared shared)
    : surroundings_(surroundings), shared_(std::move(shared)) {}

Session::~Session() = default;

Api& Session::api() {
  if (!api_) {
    const Seeker seeker{surroundings_.variable, surroundings_.is_root};
    ServerAddress server = find_server(shared_.wanted, seeker);
    Token token = find_token(shared_.wanted, seeker, server);
    api_ = std::make_unique<Api>(std::move(server), std::move(token));
  }
  return *api_;
}

std::string Session::data_folder() const {
  return find_data_folder(shared_.wanted, {surroundings_.variable, surroundings_.is_root});
}

Page Session::page() const {
  return page_of(surroundings_.out_terminal(), surroundings_.unix_ms());
}

Page Session::err_page() const {
  return page_of(surroundings_.err_terminal(), surroundings_.unix_ms());
}

void Session::print_json(std::string_view text) const {
  while (text.ends_with('\n')) text.remove_suffix(1);
  print((surroundings_.out_terminal().is_terminal ? wire::indented(text) : std::string(text)) +
        "\n");
}

ExitCode Session::fail(const Failure& failure, std::string_view source) const {
  say(wants_json() ? wire::write_failure(failure) + "\n"
                   : render_failure(failure, source, err_page()));
  return failure.exit;
}

}  // namespace kelvin::cli
