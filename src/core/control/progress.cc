// progress: what a client that waits is told about its wait.
//
// Whoever may call an app may read these sentences, so that nothing in them comes from the program: not what it logs, only
// which step of its start it is at and for how long.
#include "core/control/steps.h"
#include "core/words.h"
#include "model/ids.h"

namespace kelvin::control {

using model::State;

namespace {

// A place is counted by walking over those before it. Where more wait, all of them asking would keep control from its work.
constexpr std::size_t kPlacesCounted = 1000;

std::string place_words(const App& app, std::optional<std::size_t> place) {
  const std::string all = std::to_string(app.queue.size());
  return place ? "place " + std::to_string(*place) + " of " + all : "one of " + all + " that wait";
}

std::string stage_words(const World& world, const App& app, Instant now) {
  const Replica* coming = find_coming(world, app);
  if (coming == nullptr || coming->state == State::Planned || coming->lease_turn)
    return waits_for(world, app);
  return "replica " + model::to_text(coming->id) + " has been " +
         std::string(to_text(coming->state)) + " for " + to_words(now - coming->state_since);
}

}  // namespace

void on(Step& step, const model::ProgressAsked& event) {
  const auto found = step.world.waiting.find(event.request);
  if (found == step.world.waiting.end()) return;
  const App& app = step.world.apps.at(found->second);
  std::optional<std::size_t> place;
  if (app.queue.size() <= kPlacesCounted) place = app.queue.place_of(event.request);
  std::string sentence = place_words(app, place) + "; " + stage_words(step.world, app, step.now);
  const auto rest = expected_wait(step.world, app, place.value_or(app.queue.size()), step.now);
  if (rest) sentence += "; about " + to_words(*rest) + " to go";
  step.emit(model::TellProgress{
      .request = event.request, .loop = event.loop, .sentence = std::move(sentence)});
}

}  // namespace kelvin::control
