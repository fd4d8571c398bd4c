// doubles: stand-ins for the outside of the API, labelled so: they keep what they are told in memory and record it. The
// store is the real one.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "obs/decision_log.h"
#include "os/hash.h"
#include "ports/clock.h"
#include "ports/content.h"
#include "ports/control.h"
#include "ports/data_plane.h"
#include "ports/logs.h"

namespace kelvin::api {

constexpr std::int64_t kBootUnixMs = 1'700'000'000'000;

// Stands still at 100 s after boot.
class FakeClock final : public ports::Clock {
 public:
  Instant now() const override { return {100'000'000'000}; }
  std::int64_t unix_ns(Instant at) const override { return kBootUnixMs * 1'000'000 + at.ns; }
};

// Keeps apps as events say and starts nothing.
class FakeControl final : public ports::Control {
 public:
  void post(model::Event event) override {
    const std::scoped_lock lock(mutex_);
    std::visit([this](const auto& one) { on(one); }, event);
    events.push_back(std::move(event));
  }
  std::vector<model::AppView> apps() override {
    const std::scoped_lock lock(mutex_);
    std::vector<model::AppView> out;
    for (const auto& [id, app] : apps_) out.push_back(app);
    std::ranges::sort(out, {}, [](const model::AppView& app) { return app.revision.spec.name; });
    return out;
  }
  std::optional<model::AppView> find_app(AppId app) override {
    const std::scoped_lock lock(mutex_);
    const auto found = apps_.find(app);
    return found == apps_.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<model::AppView> find_named_app(const model::AppName& name) override {
    const std::scoped_lock lock(mutex_);
    for (const auto& [id, app] : apps_) {
      if (app.workspace == name.workspace && app.revision.spec.name == name.name) return app;
    }
    return std::nullopt;
  }
  std::optional<model::RequestView> find_request(RequestId request) override {
    const std::scoped_lock lock(mutex_);
    if (!waiting || waiting->id != request) return std::nullopt;
    return waiting;
  }
  std::vector<model::ReplicaView> replicas(AppId app) override {
    const std::scoped_lock lock(mutex_);
    std::vector<model::ReplicaView> out;
    for (const model::ReplicaView& one : running) {
      if (!app || one.app == app) out.push_back(one);
    }
    return out;
  }
  std::vector<model::Revision> revisions(AppId app) override {
    const std::scoped_lock lock(mutex_);
    return revisions_[app];
  }
  std::vector<model::Decision> decisions(const DecisionFilter& filter) override {
    return log.find(filter);
  }

  // How many events of a kind came.
  void set_rollout(std::string_view name, const model::RolloutView& view) {
    const std::scoped_lock lock(mutex_);
    for (auto& [id, app] : apps_) {
      if (app.revision.spec.name == name) app.rollout = view;
    }
  }

  template <class Event>
  std::size_t count() {
    const std::scoped_lock lock(mutex_);
    return static_cast<std::size_t>(std::ranges::count_if(
        events, [](const model::Event& event) { return std::holds_alternative<Event>(event); }));
  }
  void change_app(AppId id, const std::function<void(model::AppView&)>& change) {
    const std::scoped_lock lock(mutex_);
    change(apps_.at(id));
  }
  void set_running(std::vector<model::ReplicaView> replicas) {
    const std::scoped_lock lock(mutex_);
    running = std::move(replicas);
  }

  std::optional<model::RequestView> waiting;  // the only request that waits
  obs::DecisionLog log;
  std::vector<model::Event> events;

 private:
  void on(const model::RevisionDeployed& event) {
    model::AppView& app = apps_[event.revision->app];
    app.id = event.revision->app;
    app.workspace = event.revision->workspace;
    app.revision = *event.revision;
    std::vector<model::Revision>& all = revisions_[app.id];
    if (all.empty() || all.back().id < event.revision->id) all.push_back(*event.revision);
    app.revisions = static_cast<std::uint32_t>(all.size());
  }
  void on(const model::RevisionActivated& event) {
    for (const model::Revision& one : revisions_[event.app]) {
      if (one.id == event.revision) apps_[event.app].revision = one;
    }
  }
  void on(const model::AppDeleted& event) {
    apps_.erase(event.app);
    revisions_.erase(event.app);
  }
  void on(const model::ScaleChanged& event) {
    model::ScaleRule& scale = apps_[event.app].revision.spec.scale;
    scale.replicas_min = event.replicas_min;
    scale.replicas_max = event.replicas_max;
  }
  void on(const model::TrafficChanged& event) {
    model::AppView& app = apps_[event.app];
    app.traffic.clear();
    for (const model::RevisionShare& share : event.shares) {
      for (const model::Revision& one : revisions_[event.app]) {
        if (one.id == share.revision)
          app.traffic.push_back({share.revision, one.number, share.percent});
      }
    }
  }
  template <class Other>
  void on(const Other&) {}

  std::mutex mutex_;
  std::map<AppId, model::AppView> apps_;
  std::map<AppId, std::vector<model::Revision>> revisions_;
  std::vector<model::ReplicaView> running;
};

// Content in memory; knows the programs "serve" and "/usr/bin/serve".
class FakeContent final : public ports::Content {
 public:
  bool has(std::string_view sha256) override {
    const std::scoped_lock lock(mutex_);
    return stored.contains(std::string(sha256));
  }
  Result<std::unique_ptr<ports::ContentWriter>> begin(std::string_view sha256, Bytes) override {
    return std::make_unique<Writer>(*this, std::string(sha256));
  }
  Result<ports::PlacedTree> place(const ports::ContentTree& tree) override {
    std::string names;
    for (const auto* files : {&tree.folder, &tree.model}) {
      for (const ports::ContentFile& file : *files) {
        if (!has(file.sha256))
          return fail(Code::NotFound, Blame::Client, Retry::Never, "lacks " + file.sha256);
        names += file.path + ":" + file.sha256 + "\n";
      }
    }
    const std::string root = "/data/trees/" + os::sha256_hex(names).substr(0, 8);
    return ports::PlacedTree{
        .folder = root + "/folder",
        .model_path = tree.model_name.empty() ? "" : root + "/model/" + tree.model_name};
  }
  Result<std::string> find_program(std::string_view name, std::string_view) override {
    if (name == "serve" || name == "/usr/bin/serve") return std::string("/usr/bin/serve");
    return fail(
        Code::Invalid, Blame::Client, Retry::Never,
        "no program " + std::string(name) + " was found in the server's PATH (/usr/bin:/bin)");
  }
  Status collect(const std::vector<std::string>& folders_kept) override {
    const std::scoped_lock lock(mutex_);
    collected.push_back(folders_kept);
    changed_.notify_all();
    return {};
  }

  // The folders kept by the n-th collection (from 1), once it has come.
  std::vector<std::string> await_collection(std::size_t n) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, 10s, [&] { return collected.size() >= n; });
    return collected.size() < n ? std::vector<std::string>{"none came"} : collected[n - 1];
  }
  std::size_t collections() {
    const std::scoped_lock lock(mutex_);
    return collected.size();
  }

  std::map<std::string, std::string> stored;
  bool is_disk_full = false;

 private:
  class Writer final : public ports::ContentWriter {
   public:
    Writer(FakeContent& content, std::string sha256)
        : content_(content), sha256_(std::move(sha256)) {}
    Status write(std::span<const std::byte> bytes) override {
      if (content_.is_disk_full) {
        return fail(Code::Exhausted, Blame::Host, Retry::AfterDelay,
                    "out of disk space in /data/content");
      }
      text_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      return {};
    }
    Status commit() override {
      if (os::sha256_hex(text_) != sha256_) {
        return fail(Code::Invalid, Blame::Client, Retry::Safe,
                    "its hash is " + os::sha256_hex(text_));
      }
      const std::scoped_lock lock(content_.mutex_);
      content_.stored[sha256_] = text_;
      return {};
    }

   private:
    FakeContent& content_;
    std::string sha256_;
    std::string text_;
  };

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::vector<std::string>> collected;
};

// Lines in memory; following waits for more.
class FakeLogs final : public ports::Logs {
 public:
  Status read(const ports::LogQuery& query, const std::function<bool(const ports::LogLine&)>& sink,
              const std::function<bool()>& is_done) override {
    std::unique_lock lock(mutex_);
    readers_ += 1;
    changed_.notify_all();
    std::size_t next = 0;
    while (true) {
      while (next < lines_.size()) {
        const ports::LogLine line = lines_[next++];
        const bool is_wanted = line.unix_ms >= query.since_unix_ms &&
                               (!query.replica || line.replica == query.replica);
        lock.unlock();
        const bool goes_on = !is_wanted || sink(line);
        lock.lock();
        if (!goes_on) next = lines_.size() + 1;
      }
      lock.unlock();
      const bool is_over = !query.follow || next > lines_.size() || is_done();
      lock.lock();
      if (is_over) break;
      changed_.wait_for(lock, 5ms, [&] { return next < lines_.size(); });
    }
    readers_ -= 1;
    changed_.notify_all();
    if (is_broken)
      return fail(Code::Unavailable, Blame::Host, Retry::AfterDelay, "the log cannot be read");
    return {};
  }

  void add(ports::LogLine line) {
    const std::scoped_lock lock(mutex_);
    lines_.push_back(std::move(line));
    changed_.notify_all();
  }
  // True once so many readers are inside read().
  bool await_readers(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 10s, [&] { return readers_ == count; });
  }

  bool is_broken = false;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<ports::LogLine> lines_;
  int readers_ = 0;
};

class FakeDataPlane final : public ports::DataPlane {
 public:
  void change_route(const model::Route&) override {}
  void change_keys(std::shared_ptr<const std::vector<model::Key>> keys) override {
    const std::scoped_lock lock(mutex_);
    keys_ = std::move(keys);
  }
  void hand_over(const model::Handover&) override {}
  void refuse(const model::RefuseRequest&) override {}
  void tell_progress(const model::TellProgress&) override {}
  void close_connections(ReplicaId) override {}
  void ask_busy() override {}

  std::vector<model::Key> keys() {
    const std::scoped_lock lock(mutex_);
    return keys_ == nullptr ? std::vector<model::Key>{} : *keys_;
  }

 private:
  std::mutex mutex_;
  std::shared_ptr<const std::vector<model::Key>> keys_;
};

}  // namespace kelvin::api
