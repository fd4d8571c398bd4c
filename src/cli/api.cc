#include "cli/api.h"

#include <utility>

#include "cli/wire.h"

namespace kelvin::cli {

namespace {

// The API answers at once; a minute of nothing means that the server hangs.
constexpr Duration kAnswerLimit = 60s;
// Log lines are cut at 16 KiB by whoever writes them; what is longer is cut here.
constexpr std::size_t kLineBytesMax = 1u << 20;

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : "; ") + part;
  return out;
}

}  // namespace

Api::Api(ServerAddress server, Token token)
    : server_(std::move(server)), token_(std::move(token)), client_(server_.authorities) {}

Question Api::question(const std::string& method, const std::string& path) const {
  Question question{.method = method, .url = server_.url + "/api/v1" + path, .limit = kAnswerLimit};
  question.headers.push_back("Accept: application/json");
  if (!token_.text.empty()) question.headers.push_back("Authorization: Bearer " + token_.text);
  return question;
}

Attempt<std::string> Api::exchange(Question question) {
  const Attempt<Answer> answer = client_.ask(question);
  if (!answer) return failed(explained(answer.error()));
  if (answer->status >= 400)
    return failed(explained(wire::read_problem(answer->status, answer->body)));
  return answer->body;
}

Attempt<std::string> Api::get(const std::string& path) { return exchange(question("GET", path)); }

Attempt<std::string> Api::remove(const std::string& path) {
  return exchange(question("DELETE", path));
}

Attempt<std::string> Api::post(const std::string& path, const std::string& json) {
  Question asked = question("POST", path);
  asked.headers.push_back("Content-Type: application/json");
  asked.body = json;
  return exchange(std::move(asked));
}

Attempt<std::string> Api::put_content(const std::string& sha256, const std::string& file,
                                      const std::function<void(std::uint64_t)>& on_sent) {
  Question asked = question("PUT", "/content/" + sha256);
  asked.headers.push_back("Content-Type: application/octet-stream");
  asked.body_file = file;
  asked.on_sent = on_sent;
  asked.limit = Duration::zero();
  asked.silence = kAnswerLimit;
  return exchange(std::move(asked));
}

Attempt<void> Api::stream_lines(const std::string& path,
                                const std::function<bool(std::string_view)>& on_line) {
  Question asked = question("GET", path);
  asked.limit = Duration::zero();
  std::string rest;  // of a line whose end has not come yet
  const auto take = [&](std::string_view piece) {
    rest += piece;
    std::size_t from = 0;
    for (std::size_t end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', from)) {
      if (!on_line(std::string_view(rest).substr(from, end - from))) return false;
      from = end + 1;
    }
    rest.erase(0, from);
    if (rest.size() > kLineBytesMax) rest.resize(kLineBytesMax);
    return true;
  };
  const Attempt<Answer> answer = client_.ask(
      asked, {.wants = [](const Answer& head) { return head.status < 400; }, .on_piece = take});
  if (!answer) return failed(explained(answer.error()));
  if (answer->status >= 400)
    return failed(explained(wire::read_problem(answer->status, answer->body)));
  return {};
}

Failure Api::explained(Failure failure) const {
  if (failure.code == "unreachable") failure.why += " (" + joined(server_.tried) + ")";
  if (failure.status != 401) return failure;
  failure.why += (failure.why.empty() ? "" : "; ") + joined(token_.tried);
  failure.next =
      token_.text.empty()
          ? "run this as the user who runs kelvin serve, name its data folder with --data, or set "
            "KELVIN_TOKEN"
          : "set KELVIN_TOKEN to a key that this server knows, or name its data folder with --data";
  return failure;
}

std::string app_path(std::string_view name) { return "/apps/" + encoded(name); }

std::string query_of(const std::vector<Parameter>& parameters) {
  std::string out;
  for (const Parameter& parameter : parameters) {
    if (!parameter.value) continue;
    out += (out.empty() ? "?" : "&") + parameter.name + "=" + encoded(*parameter.value);
  }
  return out;
}

}  // namespace kelvin::cli
