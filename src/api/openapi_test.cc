// The OpenAPI document and the routes describe the same API. Replies are held against its schemas in tests/api.
#include "api/openapi.h"

#include <gtest/gtest.h>

#include <cctype>
#include <nlohmann/json.hpp>
#include <set>

#include "api/routes.h"

namespace kelvin::api {
namespace {

using Json = nlohmann::json;

const Json& document() {
  static const Json kDocument = Json::parse(openapi_document());
  return kDocument;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(c));
  return out;
}

const Json* find_operation(const Route& route) {
  const Json& paths = document()["paths"];
  const auto path = paths.find(std::string(route.pattern));
  if (path == paths.end()) return nullptr;
  const auto operation = path->find(lower(route.method));
  return operation == path->end() ? nullptr : &*operation;
}

TEST(OpenApi, DescribesEveryRouteAndNothingElse) {
  std::size_t described = 0;
  for (const auto& [path, operations] : document()["paths"].items()) described += operations.size();
  for (const Route& route : routes()) {
    EXPECT_NE(find_operation(route), nullptr)
        << route.method << " " << route.pattern << " is not in schema/openapi.json";
  }
  EXPECT_EQ(described, routes().size())
      << "schema/openapi.json describes a route that there is not";
}

TEST(OpenApi, SaysWhichRoutesNeedAKeyAndWhatTheyTake) {
  ASSERT_EQ(document()["security"].size(), 1U);
  for (const Route& route : routes()) {
    const Json* operation = find_operation(route);
    ASSERT_NE(operation, nullptr) << route.pattern;
    const bool is_open = operation->contains("security") && (*operation)["security"].empty();
    EXPECT_EQ(is_open, route.need != Need::AdminKey) << route.pattern;
    const Json content =
        operation->value("requestBody", Json::object()).value("content", Json::object());
    EXPECT_EQ(content.contains("application/json"), route.payload == Payload::Json)
        << route.pattern;
    EXPECT_EQ(content.contains("application/octet-stream"), route.payload == Payload::Octets)
        << route.pattern;
    EXPECT_EQ((*operation)["responses"].contains("401"), route.need == Need::AdminKey)
        << route.pattern;
  }
}

TEST(OpenApi, NamesTheParametersOfEveryPath) {
  for (const Route& route : routes()) {
    const Json* operation = find_operation(route);
    ASSERT_NE(operation, nullptr) << route.pattern;
    std::set<std::string> named;
    for (const Json& one : operation->value("parameters", Json::array())) {
      if (one["in"] == "path") named.insert("{" + one["name"].get<std::string>() + "}");
    }
    std::set<std::string> wanted;
    std::string_view rest = route.pattern;
    for (std::size_t open = rest.find('{'); open != std::string_view::npos; open = rest.find('{')) {
      rest.remove_prefix(open);
      wanted.emplace(rest.substr(0, rest.find('}') + 1));
      rest.remove_prefix(1);
    }
    EXPECT_EQ(named, wanted) << route.pattern;
  }
}

TEST(OpenApi, EveryReferenceHasItsSchemaAndEverySchemaIsUsed) {
  std::set<std::string> referenced;
  std::vector<const Json*> open{&document()};
  while (!open.empty()) {
    const Json& value = *open.back();
    open.pop_back();
    if (value.is_object() && value.contains("$ref"))
      referenced.insert(value["$ref"].get<std::string>());
    if (value.is_structured()) {
      for (const Json& one : value) open.push_back(&one);
    }
  }
  std::set<std::string> present;
  for (const auto& [name, schema] : document()["components"]["schemas"].items()) {
    present.insert("#/components/schemas/" + name);
  }
  EXPECT_EQ(referenced, present);
}

TEST(OpenApi, OperationsHaveNamesOfTheirOwn) {
  std::set<std::string> names;
  for (const Route& route : routes()) {
    const Json* operation = find_operation(route);
    ASSERT_NE(operation, nullptr);
    EXPECT_TRUE(names.insert((*operation)["operationId"].get<std::string>()).second)
        << route.pattern;
  }
}

}  // namespace
}  // namespace kelvin::api
