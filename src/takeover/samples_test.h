// samples_test: one message of every kind, with every field filled, in the order of the variant.
#pragma once

#include <vector>

#include "takeover/message.h"

namespace kelvin::takeover {

inline model::MeterLine sample_line() {
  return {.facts = {.replica = {7},
                    .app = {8},
                    .revision = {9},
                    .workspace = "default",
                    .app_name = "gemma",
                    .node = {1},
                    .kind = "cpu",
                    .accelerators = 2,
                    .first_sequence = 3},
          .stretches = {{.state = model::State::Loading,
                         .from = {10},
                         .to = {20},
                         .outcome = model::Settlement::Pending},
                        {.state = model::State::Ready, .from = {20}}},
          .cursor = {10},
          .folded_to = {12},
          .folded_busy = 1s,
          .spans = {{{21}, {22}}, {{23}, {24}}},
          .total_carry = 5ns,
          .busy_carry = 6ns,
          .next_sequence = 4,
          .is_gone = true};
}

inline model::RouteReplica sample_replica() {
  return {.id = {7},
          .revision = {9},
          .revision_number = 3,
          .slot = 5,
          .generation = 6,
          .slots = 4,
          .port = 9000,
          .protocol = model::Protocol::H2c,
          .is_spare = true};
}

inline model::Route sample_route() {
  return {.app = {8},
          .name = "gemma",
          .is_gone = true,
          .replicas = {sample_replica()},
          .parked = {{6}},
          .queue = {.requests_max = 9, .wait = 8s},
          .protocol = model::Protocol::H2c,
          .timeout = 7s,
          .served_model = "gemma-3",
          .cors = {"https://a.example", "https://b.example"},
          .affinity = {.by = model::AffinityBy::Header, .name = "x", .bytes = 3},
          .shares = {{.revision = {9}, .percent = 100}},
          .wake_time = 5s,
          .service_time = 4s};
}

inline std::vector<Message> samples() {
  const model::Refusal refusal{
      .status = 503, .code = "app_failing", .sentence = "It fails.", .retry_after = 10s};
  model::Key key{.id = {1},
                 .name = "ci",
                 .prefix = "abcdefgh",
                 .scopes = {.invoke = true},
                 .weight = 3,
                 .created_unix_ms = 99};
  key.hash.fill(0xab);
  return {Hello{.keeper_protocol = 1, .schema = 3, .version = "0.2.0"},
          Serving{.epoch = 12},
          Failed{.why = "disk full"},
          EndAsked{.within = 30s},
          KeysChanged{.keys = {key, key}},
          Handed{.side = os::SlotSide::Second, .loops = 4, .pid = 77, .version = "0.1.0"},
          ManagementTaken{.received = "GET /healthz HTTP/1.1\r\n\r\n"},
          Draining{.connections = 3},
          Ended{},
          model::ReplicaKept{{.replica = {7},
                              .state = model::State::Draining,
                              .generation = 6,
                              .stop_cause = model::ExitCause::Unhealthy,
                              .reason = "it stopped answering",
                              .ready_since = {2},
                              .idle_since = {3}}},
          model::MeterLineKept{sample_line()},
          model::Demand{.request = {1},
                        .app = {8},
                        .loop = 2,
                        .key = {3},
                        .key_weight = 5,
                        .priority = model::Priority::Low,
                        .arrived = {4},
                        .deadline = {6},
                        .wanted_replica = {7},
                        .revision = {9},
                        .affinity = 10},
          model::RequestLeft{{1}},
          model::SlotFree{{7}},
          model::HandoverRefused{{1}, {7}, model::HandoverProblem::ClientLeft},
          model::BusyMeasured{.loop = 1,
                              .complete_up_to = {30},
                              .entries = {{.replica = {7},
                                           .spans = {{{1}, {2}}},
                                           .most = 3,
                                           .request_time = 3s,
                                           .low_time = 2s,
                                           .answered = 4,
                                           .failed = 2,
                                           .unanswered = 1}}},
          model::ReplicaSuspected{{7}, model::Suspicion::BrokenReply, "it broke off"},
          model::ConnectionsClosed{{7}},
          model::SlotsDrained{{7}},
          model::RouteChanged{sample_route()},
          model::Handover{.request = {1},
                          .loop = 2,
                          .replica = sample_replica(),
                          .woke_from = model::Temperature::Cold,
                          .stages = {{model::Phase::Load, 2s}}},
          model::RefuseRequest{.request = {1}, .loop = 2, .refusal = refusal},
          model::CloseConnections{{7}},
          model::AskBusy{},
          model::ProgressAsked{.request = {1}, .loop = 2},
          model::TellProgress{.request = {1}, .loop = 2, .sentence = "place 1 of 1"}};
}

}  // namespace kelvin::takeover
