#include "appfile/appfile.h"

#include <algorithm>

#include "appfile/app_reader.h"
#include "appfile/tree.h"

namespace kelvin::appfile {

namespace {

using Complaints = std::vector<Complaint>;

Complaint complaint_about(const Flaw& flaw) {
  return {.line = flaw.at.line,
          .column = flaw.at.column,
          .found = flaw.found,
          .expected = flaw.expected,
          .message = flaw.sentence};
}

const Node* find_value(const Node& map, std::string_view key) {
  for (std::size_t i = 0; i + 1 < map.items.size(); i += 2) {
    if (map.items[i].kind == Node::Kind::Scalar && map.items[i].text == key)
      return &map.items[i + 1];
  }
  return nullptr;
}

// What is not an app file at all gets one complaint instead of one about each of its keys.
std::optional<Complaint> find_other_kind(const Tree& tree) {
  if (!tree.root || tree.root->kind == Node::Kind::Nothing) {
    return Complaint{.found = "nothing",
                     .expected = "an app",
                     .message = "the file is empty; an app file has at least name and command"};
  }
  const Node& root = *tree.root;
  if (root.kind != Node::Kind::Map) {
    return Complaint{.line = root.at.line,
                     .column = root.at.column,
                     .found = describe(root),
                     .expected = "keys and values",
                     .message = "the file is " + describe(root) +
                                "; expected keys and values, such as name: gemma"};
  }
  const Node* version = find_value(root, "apiVersion");
  if (version == nullptr) return std::nullopt;
  const bool is_knative =
      version->kind == Node::Kind::Scalar && version->text.starts_with("serving.knative.dev/");
  return Complaint{
      .line = version->at.line,
      .column = version->at.column,
      .found = describe(*version),
      .expected = "a kelvin.yaml",
      .message = is_knative ? "Knative Service files come with a later version of Kelvin; write a "
                              "kelvin.yaml with name and command"
                            : "this is a Kubernetes object (apiVersion " + describe(*version) +
                                  "), not an app file; write a kelvin.yaml with name and command"};
}

}  // namespace

tl::expected<ParsedApp, Complaints> parse(std::string_view text, std::string_view file_name,
                                          const Limits& limits) {
  const Tree tree = read_tree(text, limits);
  Reader reader(file_name);
  for (const Flaw& flaw : tree.flaws) reader.complain(complaint_about(flaw));
  if (tree.root || tree.flaws.empty()) {
    std::optional<Complaint> other = find_other_kind(tree);
    if (!other) return AppReader(std::move(reader), limits).read(*tree.root);
    reader.complain(*std::move(other));
  }
  return tl::unexpected(std::move(reader).take_complaints(limits.complaints_max));
}

Complaint complaint_at(const ParsedApp& app, std::string_view key, std::string found,
                       std::string message) {
  const auto it = app.positions.find(std::string(key));
  const Position at = it == app.positions.end() ? Position{} : it->second;
  return {.file = app.file,
          .line = at.line,
          .column = at.column,
          .found = std::move(found),
          .expected = "",
          .message = std::move(message)};
}

std::string to_text(const Complaint& complaint) {
  return complaint.file + ":" + std::to_string(complaint.line) + ":" +
         std::to_string(complaint.column) + ": " + complaint.message;
}

}  // namespace kelvin::appfile
