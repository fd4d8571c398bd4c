// Where each form of a Host and a path leads, and which forms lead nowhere because they can be read in two ways.
#include "gateway/destination.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace kelvin::gateway {
namespace {

// "NAME PATH" of an app, "NAME@WORKSPACE PATH", or a word for what is no app.
std::string reached(std::string_view host, std::string_view path) {
  const std::vector<std::string> own = {"box.lan"};
  const Destination to = find_destination(host, path, own);
  if (!to.refusal.empty()) return "refused";
  switch (to.surface) {
    case Surface::App:
      return to.name + (to.workspace.empty() ? "" : "@" + to.workspace) + " " +
             std::string(to.path);
    case Surface::OpenAi:
      return "openai " + std::string(to.path);
    case Surface::Management:
      return "management";
    case Surface::ForeignHost:
      return "foreign";
    case Surface::Nowhere:
      break;
  }
  return "nowhere";
}

struct Row {
  std::string_view host;
  std::string_view path;
  std::string_view reached;
};

TEST(Destination, OfAHostIsAnAppOrThisServer) {
  const Row rows[] = {
      {"a.localhost", "/", "a /"},
      {"A.LocalHost:27315", "/", "a /"},
      {"a.localhost.", "/", "a /"},
      {"a.lab.localhost", "/x", "a@lab /x"},
      {"a..localhost", "/", "nowhere"},
      {".a.localhost", "/", "nowhere"},
      {"a.b.c.localhost", "/", "nowhere"},
      {"a.localhost.evil.example", "/", "foreign"},
      {"alocalhost", "/v1", "foreign"},
      {"localhost.localhost", "/", "localhost /"},
      {"box.lan", "/v1/models", "openai /v1/models"},
      {"BOX.LAN.:80", "/v1/models", "openai /v1/models"},
      {"xbox.lan", "/v1/models", "foreign"},
      {"127.0.0.1", "/v1", "openai /v1"},
      {"[::1]:9", "/v1", "openai /v1"},
      {"1.2.3.4.evil.example", "/v1", "foreign"},
      {"", "/v1", "openai /v1"},
      {"evil.example", "/healthz", "management"},
  };
  for (const Row& row : rows)
    EXPECT_EQ(reached(row.host, row.path), row.reached) << row.host << " " << row.path;
}

TEST(Destination, UnderItsOwnHostAnAppGetsItsPathAsSent) {
  for (const char* path : {"/", "//", "/../x", "/%2e%2e/x", "/a/..;/b", "/%2F", "/%zz", "/a%00b",
                           "/apps/b/", "/v1/models", "/api/v1/apps", "/a\\..\\b", "*", "/?../.."})
    EXPECT_EQ(reached("a.localhost", path), "a " + std::string(path));
}

TEST(Destination, OfAPathIsMatchedPartByPart) {
  const Row rows[] = {
      {"localhost", "/apps/a", "a "},
      {"localhost", "/apps/a/", "a /"},
      {"localhost", "/apps/a?x=/../y", "a ?x=/../y"},
      {"localhost", "/apps/a/b/c?d", "a /b/c?d"},
      {"localhost", "/apps/a//b", "a //b"},
      {"localhost", "/apps/a//", "a //"},
      {"localhost", "/apps/a/b%2Fc", "a /b%2Fc"},
      {"localhost", "/apps/a/b%20c%3Fd", "a /b%20c%3Fd"},
      {"localhost", "/apps/a/%252e%252e/b", "a /%252e%252e/b"},
      {"localhost", "/apps/a/...", "a /..."},
      {"localhost", "/apps/a/.well-known/x", "a /.well-known/x"},
      {"localhost", "/apps/a/b..c/..d/e..", "a /b..c/..d/e.."},
      {"localhost", "/apps/a/b;c=d", "a /b;c=d"},
      {"localhost", "/apps/%61%2D1/x", "a-1 /x"},
      {"localhost", "/apps/A/x", "A /x"},
      {"localhost", "/apps/a;b/x", "a;b /x"},
      {"localhost", "/apps", "nowhere"},
      {"localhost", "/apps/", "nowhere"},
      {"localhost", "/apps//a", "nowhere"},
      {"localhost", "/apps/?a", "nowhere"},
      {"localhost", "/appsx/a", "nowhere"},
      {"localhost", "/Apps/a", "nowhere"},
      {"localhost", "/%61pps/a", "nowhere"},
      {"localhost", "/apps%2Fa", "nowhere"},
      {"localhost", "//apps/a", "nowhere"},
      {"localhost", "/v1//models", "openai /v1//models"},
      {"localhost", "/v1?x", "openai /v1?x"},
      {"localhost", "//v1/models", "nowhere"},
      {"localhost", "/%761/models", "nowhere"},
      {"localhost", "/V1/models", "nowhere"},
      {"localhost", "*", "nowhere"},
  };
  for (const Row& row : rows)
    EXPECT_EQ(reached(row.host, row.path), row.reached) << row.host << " " << row.path;
}

TEST(Destination, OfAPathWithTwoReadingsIsRefused) {
  for (const char* path : {"/apps/a/../b",
                           "/apps/a/..",
                           "/apps/a/.",
                           "/apps/a/./b",
                           "/apps/../v1",
                           "/apps/..",
                           "/.",
                           "/..",
                           "/../apps/a/",
                           "/./apps/a/",
                           "/v1/../apps/a",
                           "/v1/.",
                           "/apps/a/%2e%2e/b",
                           "/apps/a/%2E",
                           "/apps/a/.%2e/b",
                           "/apps/a/%2e./b",
                           "/apps/a/..;/b",
                           "/apps/a/..;x=y/b",
                           "/apps/a/.;/b",
                           "/apps/a/%2e%2e;/b",
                           "/apps/a/..%3b/b",
                           "/apps/a/..%2fb",
                           "/apps/a/b%2f..",
                           "/apps/a/%2e%2e%2Fb",
                           "/apps/a/..\\b",
                           "/apps/a\\..\\b",
                           "/apps/a/..%5cb",
                           "/apps/a%2f../b",
                           "/apps/a/%",
                           "/apps/a/%4",
                           "/apps/a/%zz",
                           "/apps/a/%u002e",
                           "/apps/a/b%00",
                           "/v1/%00",
                           "/apps/a%2Fb",
                           "/apps/a%2fb/c",
                           "/apps/%2Fa",
                           "/apps/a%5Cb",
                           "/apps/a\\b/c",
                           "/apps/a%3Fb",
                           "/apps/a%25b",
                           "/apps/a%20b",
                           "/apps/%00a",
                           "/apps/a%3b/b",
                           "/apps/%c3%a9/",
                           "/apps/%2e%2e/b",
                           "/apps/%2e/b"})
    EXPECT_EQ(reached("localhost", path), "refused") << path;
}

TEST(Destination, OfAWorkspaceIsReadByTheSameRules) {
  const auto second = [](std::string_view path) {
    const Destination to = in_workspace(find_destination("localhost", path, {}));
    if (to.surface != Surface::App) return std::string("nowhere");
    EXPECT_EQ(std::string(to.prefix) + std::string(to.path), path);
    return to.name + "@" + to.workspace + " " + std::string(to.path);
  };
  EXPECT_EQ(second("/apps/lab/a/x"), "a@lab /x");
  EXPECT_EQ(second("/apps/l%61b/%61/x"), "a@lab /x");
  EXPECT_EQ(second("/apps/lab/a%2Fb/x"), "nowhere");
  EXPECT_EQ(second("/apps/lab/a\\b/x"), "nowhere");
  EXPECT_EQ(second("/apps/lab//x"), "nowhere");
  EXPECT_EQ(second("/apps/lab/"), "nowhere");
  EXPECT_EQ(second("/apps/lab?a"), "nowhere");
}

}  // namespace
}  // namespace kelvin::gateway
