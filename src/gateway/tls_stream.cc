// tls_stream: the server's side of TLS on one connection, with the calls of a socket.
#include "gateway/tls_stream.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace kelvin::gateway {
namespace {

constexpr std::size_t kRecordBytes = SSL3_RT_MAX_PLAIN_LENGTH;
// One record to begin with and after the socket was full, so that a slow client keeps little; four as long as it keeps up.
constexpr std::uint32_t kRoundBytesMin = kRecordBytes;
constexpr std::uint32_t kRoundBytesMax = 4 * kRecordBytes;
// Header, tag and, in TLS 1.2, the explicit nonce, rounded up; and a little for what OpenSSL itself has to say.
constexpr std::size_t kRecordOverhead = 64;
// The longest run of records that hold no content: a hello may take 128 KiB, everything later is far shorter.
constexpr std::uint32_t kQuietBytesMax = 256 * 1024;
static_assert(kRoundBytesMax + 4 * kRecordOverhead + kRecordBytes < TlsStream::kUnsentBytesMax);

}  // namespace

// What OpenSSL takes for its transport.
struct TlsStream::Wire {
  static TlsStream& stream_of(BIO* bio) { return *static_cast<TlsStream*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* into, int size) {
    TlsStream& stream = stream_of(bio);
    BIO_clear_retry_flags(bio);
    if (size <= 0 || stream.has_fin_ || stream.quiet_bytes_ >= kQuietBytesMax) return 0;
    if (stream.is_drained_) {
      BIO_set_retry_read(bio);
      return -1;
    }
    ssize_t got = 0;
    do {
      got = ::recv(stream.fd_, into, static_cast<std::size_t>(size), 0);
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
      stream.is_drained_ = got < size;
      stream.quiet_bytes_ += static_cast<std::uint32_t>(got);
      return static_cast<int>(got);
    }
    if (got == 0) {
      stream.has_fin_ = true;
      return 0;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      stream.is_drained_ = true;
      BIO_set_retry_read(bio);
    }
    return -1;
  }

  // Never asks to be called again: who is to wait is decided by send().
  static int write(BIO* bio, const char* bytes, int size) {
    TlsStream& stream = stream_of(bio);
    BIO_clear_retry_flags(bio);
    if (size <= 0) return 0;
    // Only a client that keeps asking (for key updates, for instance) without ever reading gets here.
    if (stream.unsent() + static_cast<std::size_t>(size) > kUnsentBytesMax) return -1;
    stream.out_.append(bytes, static_cast<std::size_t>(size));
    return size;
  }

  static long control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_FLUSH) return 1;
    if (command == BIO_CTRL_EOF) return stream_of(bio).has_fin_ ? 1 : 0;
    return 0;
  }

  static BIO_METHOD* make_method() {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "kelvin");
    KELVIN_CHECK(made != nullptr);
    BIO_meth_set_read(made, read);
    BIO_meth_set_write(made, write);
    BIO_meth_set_ctrl(made, control);
    return made;
  }

  // One for the process, for ever: a table of functions without state.
  static const BIO_METHOD* method() {
    static const BIO_METHOD* const made = make_method();
    return made;
  }
};

// Goes through the parts of one send.
class TlsStream::Pieces {
 public:
  explicit Pieces(std::span<const std::string_view> parts) : parts_(parts) { skip_empty(); }

  bool empty() const { return parts_.empty(); }
  std::size_t taken() const { return taken_; }
  std::string_view first() const { return parts_.front().substr(from_); }
  bool is_last() const { return parts_.size() == 1; }
  void take(std::size_t bytes) {
    from_ += bytes;
    taken_ += bytes;
    skip_empty();
  }
  // Moves as much as fits into `into`.
  std::string_view gather(std::span<char> into) {
    std::size_t filled = 0;
    while (!empty() && filled < into.size()) {
      const std::string_view piece = first().substr(0, into.size() - filled);
      std::memcpy(into.data() + filled, piece.data(), piece.size());
      filled += piece.size();
      take(piece.size());
    }
    return {into.data(), filled};
  }

 private:
  void skip_empty() {
    while (!parts_.empty() && from_ == parts_.front().size()) {
      parts_ = parts_.subspan(1);
      from_ = 0;
    }
  }

  std::span<const std::string_view> parts_;
  std::size_t from_ = 0;  // in the first part
  std::size_t taken_ = 0;
};

TlsStream::TlsStream(std::shared_ptr<const TlsSnapshot> snapshot, int fd)
    : snapshot_(std::move(snapshot)), fd_(fd), round_bytes_(kRoundBytesMin) {
  ssl_ = SSL_new(snapshot_->context_for({}));
  BIO* bio = BIO_new(Wire::method());
  KELVIN_CHECK(ssl_ != nullptr && bio != nullptr);
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_app_data(ssl_, this);
  SSL_set_accept_state(ssl_);
}

TlsStream::~TlsStream() { SSL_free(ssl_); }

const TlsSnapshot& TlsStream::snapshot_of(const ssl_st* ssl) {
  return *static_cast<const TlsStream*>(SSL_get_app_data(ssl))->snapshot_;
}

Received TlsStream::receive(std::span<char> into) {
  if (read_end_ != Io::Blocked) return {read_end_, 0};
  is_drained_ = false;
  quiet_bytes_ = 0;
  std::size_t total = 0;
  while (total < into.size()) {
    std::size_t got = 0;
    ERR_clear_error();
    const int outcome = SSL_read_ex(ssl_, into.data() + total, into.size() - total, &got);
    if (outcome != 1) {
      note_read_end(outcome);
      break;
    }
    quiet_bytes_ = 0;
    total += got;
  }
  // What OpenSSL still holds of a record comes with no event of the socket.
  if (total == into.size()) is_drained_ = false;
  note_established();
  // Messages of the handshake, and the alert that says why it failed.
  if (!push_out()) read_end_ = Io::Broken;
  return total > 0 ? Received{Io::Done, total} : Received{read_end_, 0};
}

void TlsStream::note_established() {
  if (is_established_ || SSL_is_init_finished(ssl_) == 0) return;
  is_established_ = true;
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  if (std::string_view(reinterpret_cast<const char*>(name), size) == "h2") alpn_ = Alpn::Http2;
}

void TlsStream::note_read_end(int outcome) {
  switch (SSL_get_error(ssl_, outcome)) {
    case SSL_ERROR_WANT_READ:
      return;
    case SSL_ERROR_ZERO_RETURN:
      read_end_ = Io::Ended;
      is_truncated_ = has_fin_;
      return;
    default:
      break;
  }
  if (has_fin_) {
    read_end_ = Io::Ended;
    is_truncated_ = true;
    return;
  }
  read_end_ = Io::Broken;
  note_failure();
}

void TlsStream::note_failure() {
  has_failed_ = true;
  const unsigned long code = ERR_peek_error();
  spoke_plain_http_ =
      ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_HTTP_REQUEST;
  if (quiet_bytes_ >= kQuietBytesMax) {
    failure_ = "too many records without content";
  } else if (const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code)) {
    failure_ = reason;
  }
  ERR_clear_error();
}

Sent TlsStream::send(std::span<const std::string_view> parts) {
  Pieces pieces(parts);
  while (true) {
    if (!push_out()) return {.io = Io::Broken, .bytes = pieces.taken()};
    if (unsent() > 0) {
      round_bytes_ = kRoundBytesMin;
      return {.io = Io::Blocked, .bytes = pieces.taken()};
    }
    if (pieces.empty()) return {.io = Io::Done, .bytes = pieces.taken()};
    if (has_failed_ || is_closed_) return {.io = Io::Broken, .bytes = pieces.taken()};
    if (!is_established_) return {.io = Io::Blocked, .bytes = pieces.taken()};
    if (!encrypt(pieces)) return {.io = Io::Broken, .bytes = pieces.taken()};
  }
}

// One round. Bytes that are large are encrypted where they lie; small ones are put together into one record.
bool TlsStream::encrypt(Pieces& pieces) {
  std::array<char, kRecordBytes> record;
  std::size_t room = round_bytes_;
  const std::size_t due = std::min<std::size_t>(pieces.first().size(), room);
  out_.reserve(due + (due / kRecordBytes + 2) * kRecordOverhead);
  while (room > 0 && !pieces.empty()) {
    std::string_view plain;
    if (pieces.first().size() >= kRecordBytes || pieces.is_last()) {
      plain = pieces.first().substr(0, room);
      // Whole records, so that what is left is put together with what follows it.
      if (!pieces.is_last() && plain.size() > kRecordBytes)
        plain = plain.substr(0, plain.size() / kRecordBytes * kRecordBytes);
      pieces.take(plain.size());
    } else {
      plain = pieces.gather(std::span(record).first(std::min(room, record.size())));
    }
    std::size_t written = 0;
    ERR_clear_error();
    if (SSL_write_ex(ssl_, plain.data(), plain.size(), &written) != 1) {
      note_failure();
      return false;
    }
    KELVIN_CHECK(written == plain.size());
    room -= plain.size();
  }
  round_bytes_ = std::min(2 * round_bytes_, kRoundBytesMax);
  return true;
}

bool TlsStream::push_out() {
  while (unsent() > 0) {
    const ssize_t sent = ::send(fd_, out_.data() + out_from_, unsent(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return true;
    if (sent < 0) {
      is_socket_broken_ = true;
      out_from_ = out_.size();
      break;
    }
    out_from_ += static_cast<std::size_t>(sent);
  }
  if (!out_.empty()) {
    std::string().swap(out_);
    out_from_ = 0;
  }
  return !is_socket_broken_;
}

void TlsStream::close() {
  if (is_closed_) return;
  is_closed_ = true;
  if (!is_established_ || has_failed_ || is_socket_broken_) return;
  ERR_clear_error();
  (void)SSL_shutdown(ssl_);
  ERR_clear_error();
  (void)push_out();
}

std::string_view TlsStream::server_name() const {
  const char* name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? std::string_view() : std::string_view(name);
}

std::string_view TlsStream::version() const { return SSL_get_version(ssl_); }

}  // namespace kelvin::gateway
