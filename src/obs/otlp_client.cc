// otlp_client: posts to a collector by libcurl; the one file below the command line that includes it.
#include <curl/curl.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "obs/otlp.h"

namespace kelvin::obs {
namespace {

// Of what a collector says; the rest is not read.
constexpr std::size_t kAnswerBytesMax = 64 * 1024;
constexpr long kConnectMs = 2000;

struct FreeHandle {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

std::size_t keep_answer(char* bytes, std::size_t size, std::size_t count, void* into) {
  auto& answer = *static_cast<std::string*>(into);
  const std::size_t room = kAnswerBytesMax - std::min(kAnswerBytesMax, answer.size());
  answer.append(bytes, std::min(size * count, room));
  return size * count;
}

// Asked about once a second; not zero ends the post.
constexpr curl_xferinfo_callback kLookForTheEnd = [](void* gives_up, curl_off_t, curl_off_t,
                                                     curl_off_t, curl_off_t) {
  return static_cast<const std::atomic<bool>*>(gives_up)->load(std::memory_order_acquire) ? 1 : 0;
};

class CurlClient final : public OtlpClient {
 public:
  CurlClient(std::string url, const std::atomic<bool>& gives_up, CURL* handle)
      : url_(std::move(url)), handle_(handle) {
    curl_slist* list = curl_slist_append(nullptr, "Content-Type: application/json");
    // A collector that does not answer 100 would cost a second.
    headers_.reset(curl_slist_append(list, "Expect:"));
    set(CURLOPT_URL, url_.c_str());
    set(CURLOPT_HTTPHEADER, headers_.get());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    // The traces go where they were told to go, not where the environment says that pages come from.
    set(CURLOPT_PROXY, "");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_CONNECTTIMEOUT_MS, kConnectMs);
    set(CURLOPT_WRITEFUNCTION, &keep_answer);
    set(CURLOPT_WRITEDATA, &answer_);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, kLookForTheEnd);
    set(CURLOPT_XFERINFODATA, const_cast<std::atomic<bool>*>(&gives_up));
  }

  ExportAnswer post(const std::string& json, Duration at_most) override {
    answer_.clear();
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<std::int64_t>(whole_ms(at_most), 1)));
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(json.size()));
    set(CURLOPT_POSTFIELDS, json.data());
    const CURLcode code = curl_easy_perform(handle_.get());
    if (code != CURLE_OK)
      return {.why = "posting to " + url_ + " failed: " + curl_easy_strerror(code)};
    long status = 0;
    curl_easy_getinfo(handle_.get(), CURLINFO_RESPONSE_CODE, &status);
    curl_header* field = nullptr;
    const bool has_wish =
        curl_easy_header(handle_.get(), "Retry-After", 0, CURLH_HEADER, -1, &field) == CURLHE_OK;
    return judge_export(static_cast<int>(status), has_wish ? field->value : "", answer_);
  }

 private:
  template <class Value>
  void set(CURLoption option, Value value) {
    curl_easy_setopt(handle_.get(), option, value);
  }

  std::string url_;
  std::string answer_;
  std::unique_ptr<curl_slist, FreeList> headers_;
  std::unique_ptr<CURL, FreeHandle> handle_;
};

}  // namespace

Result<std::unique_ptr<OtlpClient>> OtlpClient::create(std::string_view endpoint,
                                                       const std::atomic<bool>& gives_up) {
  KELVIN_TRY(std::string url, otlp_traces_url(endpoint));
  static const CURLcode is_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  CURL* handle = is_ready == CURLE_OK ? curl_easy_init() : nullptr;
  if (handle == nullptr)
    return fail(Code::Internal, Blame::Host, Retry::Never, "libcurl could not be started");
  return std::make_unique<CurlClient>(std::move(url), gives_up, handle);
}

}  // namespace kelvin::obs
