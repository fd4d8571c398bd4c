// Content: one file by its hash, streamed to disk as it comes.
#include "api/bodies.h"
#include "api/json.h"
#include "api/routes.h"

namespace kelvin::api {

namespace {

Reply stored_reply(const std::string& sha256, std::uint64_t bytes, int status) {
  JsonWriter json;
  json.open_object();
  json.text("sha256", sha256);
  json.unsigned_integer("bytes", bytes);
  json.close_object();
  return json_reply(json.take(), status);
}

OrProblem<std::uint64_t> declared_size(const Call& call, Bytes most) {
  if (!call.head.content_length) {
    return refuse({.status = 411,
                   .code = "length_required",
                   .detail = "Content must be sent with its size in Content-Length.",
                   .next = "Send the file with a Content-Length."});
  }
  if (*call.head.content_length <= most.count) return *call.head.content_length;
  return refuse({.status = 413,
                 .code = "body_too_long",
                 .detail = "The file is longer than " + std::to_string(most.count) + " bytes.",
                 .next = "Split the file."});
}

// Takes the body into `writer`. A failure of the disk comes before one of the client.
OrProblem<void> receive(Call& call, ports::ContentWriter& writer, std::uint64_t size) {
  Status written;
  const auto write = [&](std::string_view piece) {
    written = writer.write(std::as_bytes(std::span(piece)));
    return written.has_value();
  };
  const Connection::Body outcome = call.connection.read_body(call.head, {size}, write);
  KELVIN_ANSWER_TRY_VOID(std::move(written));
  if (outcome == Connection::Body::Whole) return {};
  return refuse(bad_request("The file broke off before its end.", "Send it again."));
}

}  // namespace

Answer put_content(Service& service, Call& call) {
  KELVIN_ANSWER_TRY_VOID(call.query.check_all_read());
  const std::string& sha256 = call.parameters[0];
  if (!is_sha256(sha256))
    return refuse(bad_request("The path must end in 64 lower-case hex digits, the SHA-256."));
  KELVIN_ANSWER_TRY(const std::uint64_t size,
                    declared_size(call, service.options.limits.content_max));
  // The body stays in the socket: whoever waits for "100 Continue" is spared sending it.
  if (service.ports.content.has(sha256)) return stored_reply(sha256, size, 200);
  KELVIN_ANSWER_TRY(const std::unique_ptr<ports::ContentWriter> writer,
                    service.ports.content.begin(sha256, {size}));
  KELVIN_ANSWER_TRY_VOID(receive(call, *writer, size));
  const Status stored = writer->commit();
  if (!stored && stored.error().code == Code::Invalid) {
    return refuse({.status = 400,
                   .code = "content_differs",
                   .detail = "The file is not what its name says: " + stored.error().what + ".",
                   .next = "Send the file again; it may have changed while it was read."});
  }
  KELVIN_ANSWER_TRY_VOID(stored);
  return stored_reply(sha256, size, 201);
}

}  // namespace kelvin::api
