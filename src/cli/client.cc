#include "cli/client.h"

#include <curl/curl.h>
#include <strings.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "cli/address.h"

namespace kelvin::cli {

namespace {

// A body that is collected rather than given on; no answer of the API comes near.
constexpr std::size_t kCollectedMax = 64u << 20;
constexpr long kConnectMs = 10'000;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

// What the callbacks of one exchange share.
struct Exchange {
  const Question* question = nullptr;
  const Listener* listener = nullptr;
  CURL* handle = nullptr;
  Answer answer;
  bool is_asked = false;  // listener->wants has been asked
  bool is_streamed = false;
  bool is_stopped = false;  // by the listener
  bool is_too_long = false;
  std::FILE* upload = nullptr;
  std::uint64_t sent = 0;
};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::strchr(" \t\r\n", text.front()) != nullptr) text.remove_prefix(1);
  while (!text.empty() && std::strchr(" \t\r\n", text.back()) != nullptr) text.remove_suffix(1);
  return text;
}

std::size_t take_header(char* bytes, std::size_t size, std::size_t count, void* into) {
  Exchange& exchange = *static_cast<Exchange*>(into);
  const std::string_view line(bytes, size * count);
  if (line.starts_with("HTTP/"))
    exchange.answer.headers.clear();  // of an interim reply such as 100
  const std::size_t colon = line.find(':');
  if (colon != std::string_view::npos) {
    exchange.answer.headers.emplace_back(trimmed(line.substr(0, colon)),
                                         trimmed(line.substr(colon + 1)));
  }
  return line.size();
}

void ask_listener(Exchange& exchange) {
  if (exchange.is_asked) return;
  exchange.is_asked = true;
  long status = 0;
  curl_easy_getinfo(exchange.handle, CURLINFO_RESPONSE_CODE, &status);
  exchange.answer.status = static_cast<int>(status);
  curl_off_t first_byte = 0;
  curl_easy_getinfo(exchange.handle, CURLINFO_STARTTRANSFER_TIME_T, &first_byte);
  exchange.answer.first_byte_us = first_byte;
  exchange.is_streamed = exchange.listener->wants && exchange.listener->wants(exchange.answer);
}

std::size_t take_body(char* bytes, std::size_t size, std::size_t count, void* into) {
  Exchange& exchange = *static_cast<Exchange*>(into);
  const std::string_view piece(bytes, size * count);
  ask_listener(exchange);
  if (exchange.is_streamed) {
    exchange.is_stopped = !exchange.listener->on_piece(piece);
    return exchange.is_stopped ? 0 : piece.size();
  }
  exchange.is_too_long = exchange.answer.body.size() + piece.size() > kCollectedMax;
  if (exchange.is_too_long) return 0;
  exchange.answer.body += piece;
  return piece.size();
}

std::size_t give_body(char* bytes, std::size_t size, std::size_t count, void* from) {
  Exchange& exchange = *static_cast<Exchange*>(from);
  const std::size_t read = std::fread(bytes, 1, size * count, exchange.upload);
  if (read == 0 && std::ferror(exchange.upload) != 0) return CURL_READFUNC_ABORT;
  exchange.sent += read;
  if (exchange.question->on_sent) exchange.question->on_sent(exchange.sent);
  return read;
}

HeaderList header_list(const Question& question) {
  curl_slist* list = nullptr;
  for (const std::string& header : question.headers) list = curl_slist_append(list, header.c_str());
  // A server that does not answer 100 would cost a second; the body is sent at once instead.
  list = curl_slist_append(list, "Expect:");
  return HeaderList(list);
}

// A reused connection counts: it takes no time to connect it.
bool was_connected(CURL* handle) {
  curl_off_t connected = 0;
  curl_easy_getinfo(handle, CURLINFO_CONNECT_TIME_T, &connected);
  long made = 0;
  curl_easy_getinfo(handle, CURLINFO_NUM_CONNECTS, &made);
  char* address = nullptr;
  curl_easy_getinfo(handle, CURLINFO_PRIMARY_IP, &address);
  const bool is_reused = made == 0 && address != nullptr && *address != '\0';
  return connected > 0 || is_reused;
}

// What the system says is clearer than what libcurl makes of it.
std::string reason_of(CURLcode code, const Exchange& exchange, const char* detail) {
  long error = 0;
  curl_easy_getinfo(exchange.handle, CURLINFO_OS_ERRNO, &error);
  if (code == CURLE_COULDNT_CONNECT && error != 0) return std::strerror(static_cast<int>(error));
  const bool ended =
      code == CURLE_PARTIAL_FILE || code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR;
  if (ended) return "it was closed before the end";
  return *detail != '\0' ? detail : curl_easy_strerror(code);
}

Failure not_reached(const Exchange& exchange, std::string server, std::string why) {
  const bool is_here = is_loopback_url(exchange.question->url);
  return {.exit = ExitCode::Unreachable,
          .code = "unreachable",
          .what = "cannot reach the server at " + std::move(server),
          .why = std::move(why),
          .next = is_here ? "start it with: kelvin serve"
                          : "check the address, or start it there with: kelvin serve"};
}

Failure not_trusted(std::string server, std::string why) {
  return {.exit = ExitCode::Unreachable,
          .code = "certificate_not_trusted",
          .what = "the certificate of " + std::move(server) + " is not trusted",
          .why = std::move(why),
          .next =
              "name the file with its issuer's certificate in KELVIN_CA, and use an address "
              "that is in the certificate"};
}

Failure failure_of(CURLcode code, const Exchange& exchange, const char* detail) {
  const std::string& url = exchange.question->url;
  const std::string server = url.substr(0, url.find('/', url.find("://") + 3));
  const std::string why = reason_of(code, exchange, detail);
  const bool was_there = was_connected(exchange.handle) || !exchange.answer.headers.empty();
  if (exchange.is_too_long)
    return {.code = "answer_too_long", .what = "the answer of " + server + " is over 64 MiB"};
  if (code == CURLE_PEER_FAILED_VERIFICATION) return not_trusted(server, why);
  if (code == CURLE_SSL_CACERT_BADFILE) {
    return {.exit = ExitCode::Usage,
            .code = "bad_authorities",
            .what = "the file that KELVIN_CA names cannot be used",
            .why = why,
            .next = "let it name a file of certificates in PEM"};
  }
  if (code == CURLE_ABORTED_BY_CALLBACK) {
    return {.code = "unreadable", .what = "cannot read " + exchange.question->body_file};
  }
  if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) {
    return {.exit = ExitCode::Usage,
            .code = "bad_address",
            .what = "\"" + server + "\" is no address of a server",
            .next = "write it as http://HOST:PORT or https://HOST:PORT"};
  }
  if (!was_there) return not_reached(exchange, server, why);
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return {.exit = ExitCode::TimedOut,
            .code = "timed_out",
            .what = server + " did not answer in time",
            .why = why};
  }
  return {.exit = ExitCode::Unreachable,
          .code = "connection_broken",
          .what = "the connection to " + server + " broke off",
          .why = why,
          .next = "see whether the server is running with: kelvin status"};
}

void set_target(CURL* handle, const Question& question) {
  curl_easy_setopt(handle, CURLOPT_URL, question.url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, question.method.c_str());
  curl_easy_setopt(handle, CURLOPT_NOBODY, question.method == "HEAD" ? 1L : 0L);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "kelvin");
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, kConnectMs);
  curl_easy_setopt(handle, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  if (is_loopback_url(question.url)) curl_easy_setopt(handle, CURLOPT_NOPROXY, "*");
  if (question.limit > Duration::zero()) {
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(whole_ms(question.limit)));
  }
  if (question.silence > Duration::zero()) {
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME,
                     static_cast<long>(whole_ms(question.silence) / 1000));
  }
}

void set_callbacks(CURL* handle, Exchange& exchange) {
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &exchange);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &exchange);
}

void set_body(CURL* handle, Exchange& exchange, std::uint64_t file_bytes) {
  if (exchange.upload != nullptr) {
    curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(handle, CURLOPT_READFUNCTION, give_body);
    curl_easy_setopt(handle, CURLOPT_READDATA, &exchange);
    curl_easy_setopt(handle, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(file_bytes));
    return;
  }
  if (!exchange.question->body) return;
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE,
                   static_cast<curl_off_t>(exchange.question->body->size()));
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, exchange.question->body->data());
}

}  // namespace

struct Client::Curl {
  CURL* handle = nullptr;
};

Client::Client(std::string authorities)
    : curl_(std::make_unique<Curl>()), authorities_(std::move(authorities)) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  curl_->handle = curl_easy_init();
}

Client::~Client() {
  curl_easy_cleanup(curl_->handle);
  curl_global_cleanup();
}

std::string Answer::header(std::string_view name) const {
  std::string found;
  for (const auto& [key, value] : headers) {
    const bool is_it =
        key.size() == name.size() && strncasecmp(key.data(), name.data(), name.size()) == 0;
    if (is_it) found += (found.empty() ? "" : ", ") + value;
  }
  return found;
}

Attempt<Answer> Client::ask(const Question& question, const Listener& listener) {
  CURL* handle = curl_->handle;
  curl_easy_reset(handle);  // keeps connections
  std::array<char, CURL_ERROR_SIZE> detail{};
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, detail.data());
  Exchange exchange{.question = &question, .listener = &listener, .handle = handle};
  File upload;
  std::uint64_t file_bytes = 0;
  if (!question.body_file.empty()) {
    std::error_code error;
    file_bytes = std::filesystem::file_size(question.body_file, error);
    if (!error) upload.reset(std::fopen(question.body_file.c_str(), "rbe"));
    if (!upload) return failed({.code = "unreadable", .what = "cannot read " + question.body_file});
    exchange.upload = upload.get();
  }
  const HeaderList headers = header_list(question);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
  set_target(handle, question);
  if (!authorities_.empty()) curl_easy_setopt(handle, CURLOPT_CAINFO, authorities_.c_str());
  set_callbacks(handle, exchange);
  set_body(handle, exchange, file_bytes);
  const CURLcode code = curl_easy_perform(handle);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, nullptr);
  if (code != CURLE_OK && !exchange.is_stopped)
    return failed(failure_of(code, exchange, detail.data()));
  ask_listener(exchange);  // a reply without a body
  curl_off_t total = 0;
  curl_easy_getinfo(handle, CURLINFO_TOTAL_TIME_T, &total);
  exchange.answer.total_us = total;
  return std::move(exchange.answer);
}

std::string encoded(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                          (byte >= 'a' && byte <= 'z') ||
                          (byte < 0x80 && std::strchr("-._~", c) != nullptr && c != '\0');
    if (is_plain) {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

}  // namespace kelvin::cli
