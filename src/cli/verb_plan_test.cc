// `kelvin plan` on small made-up traces, held by golden files.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "cli/cli_run.h"
#include "cli/golden_file.h"
#include "os/files.h"

namespace kelvin::cli {
namespace {

// Two apps: one with a burst of twelve every five minutes, one with a request a minute.
std::string traffic() {
  std::ostringstream text;
  text << "app,func,end_timestamp,duration\n";
  for (int minute = 0; minute < 30; ++minute) {
    text << "shop,steady," << minute * 60 + 3 << ",2\n";
    if (minute % 5 != 0) continue;
    for (int i = 0; i < 12; ++i) text << "shop,bursts," << minute * 60 + 20 + i << ",5.5\n";
  }
  return text.str();
}

class PlanTest : public ::testing::Test {
 protected:
  const os::TempDir made_ = os::TempDir::create("kelvin-plan").value();
  const std::string& folder_ = made_.path();

  PlanTest() {
    write("trace.csv", traffic());
    write("bad.csv", "app,func,end_timestamp,duration\na,b,4,5\na,b,five,1\n");
    write("kelvin.yaml",
          "name: shop\ncommand: [run]\nscale: {max: 4, concurrency: 2, urgency: strict}\npark: "
          "never\n");
    write("bad.yaml", "name: shop\ncommand: [run]\nscale: {maxx: 4}\n");
  }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << text;
  }
  std::string read(const std::string& name) {
    std::ifstream file(folder_ + "/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // "DIR/" in the words is the folder, as it is in the transcript.
  std::string told(const std::string& words) {
    std::string text = transcript(run_, replaced(words, "DIR", folder_));
    return replaced(text, folder_, "DIR");
  }
  static std::string replaced(std::string text, const std::string& what, const std::string& by) {
    for (std::size_t at = text.find(what); at != std::string::npos;
         at = text.find(what, at + by.size()))
      text.replace(at, what.size(), by);
    return text;
  }

  CliRun run_;
};

// What the controller makes of it is not this test's business: figures are held by plan_parts_test, on made-up ones.
TEST_F(PlanTest, ShowsEveryPolicy) {
  const std::string text = told("plan --trace DIR/trace.csv --price 2.50");
  EXPECT_EQ(run_.exit, ExitCode::Ok) << run_.err;
  EXPECT_NE(text.find("102 requests of 2 apps in 29m00s (azure-functions)"), std::string::npos);
  for (const std::string policy :
       {"kelvin batch", "kelvin balanced", "kelvin interactive", "kelvin strict", "idle 0 s",
        "idle 5 s", "idle 60 s", "idle 300 s", "idle 600 s", "knative", "ray serve, min 0",
        "ray serve, min 1", "queue delay 4 s", "reserved"}) {
    const std::size_t first = text.find("\n" + policy + " ");
    ASSERT_NE(first, std::string::npos) << policy;
    EXPECT_NE(text.find("\n" + policy + " ", first + 1), std::string::npos) << policy;
  }
  EXPECT_NE(text.find("Serverless (kelvin interactive)"), std::string::npos);
}

TEST_F(PlanTest, TakesTheTermsFromAnAppFile) {
  const std::string text = told("plan --trace DIR/trace.csv --app DIR --slots 3 --json");
  EXPECT_EQ(run_.exit, ExitCode::Ok) << run_.err;
  EXPECT_NE(text.find(R"("slots":3,"start_s":30.0,"resume_s":null)"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("replicas_max":4)"), std::string::npos);
  EXPECT_NE(text.find(R"("serverless":"kelvin strict")"), std::string::npos);
}

TEST_F(PlanTest, ComparesTheUrgenciesThatAreAskedFor) {
  const std::string text = told("plan --trace DIR/trace.csv --urgency 7.5 --urgency batch");
  EXPECT_EQ(run_.exit, ExitCode::Ok) << run_.err;
  EXPECT_NE(text.find("\nkelvin 7.5 "), std::string::npos);
  EXPECT_EQ(text.find("kelvin strict"), std::string::npos);
  EXPECT_NE(text.find("Serverless (kelvin 7.5)"), std::string::npos);
  EXPECT_NE(text.find("J 1  J 7.5\n"), std::string::npos) << text;
}

TEST_F(PlanTest, RefusesWhatIsWrong) {
  expect_golden("plan_refused.txt",
                told("plan") + told("plan --trace DIR/none.csv") +
                    told("plan --trace DIR/bad.csv") + told("plan --trace DIR/bad.csv --json") +
                    told("plan --trace DIR/trace.csv --app DIR/bad.yaml") +
                    told("plan --trace DIR/trace.csv --urgency fast") +
                    told("plan --trace DIR/trace.csv --format csv") +
                    told("plan --trace DIR/trace.csv --html DIR/none/plan.html"));
}

TEST_F(PlanTest, DrawsAPageThatNeedsNothingElse) {
  const std::string hostile = "a<b>&'.csv";
  write(hostile, traffic());
  run_.run("plan --trace " + folder_ + "/" + hostile + " --price 2 --html " + folder_ +
           "/plan.html");
  EXPECT_EQ(run_.exit, ExitCode::Ok) << run_.err;
  EXPECT_EQ(run_.err, "Wrote " + folder_ + "/plan.html\n");
  const std::string page = read("plan.html");
  EXPECT_TRUE(page.starts_with("<!doctype html>"));
  EXPECT_NE(page.find("a&lt;b&gt;&amp;&#39;.csv"), std::string::npos);
  EXPECT_EQ(page.find("a<b>"), std::string::npos);
  for (const std::string banned :
       {"<script", "http:", "https:", "src=", "href=", "url(", "@import", "nan", "inf"})
    EXPECT_EQ(page.find(banned), std::string::npos) << banned;
  for (const std::string policy : {"kelvin interactive", "idle 60 s", "knative", "ray serve, min 1",
                                   "queue delay 4 s", "reserved"})
    EXPECT_NE(page.find("<h3>" + policy + "</h3>"), std::string::npos) << policy;
  EXPECT_NE(page.find("prefers-color-scheme: dark"), std::string::npos);
}

}  // namespace
}  // namespace kelvin::cli
