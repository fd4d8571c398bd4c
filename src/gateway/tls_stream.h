// tls_stream: the server's side of TLS on one connection, with the calls of a socket.
//
// OpenSSL writes records into a buffer of ours, which goes to the socket in one call for up to 64 KiB, and reads from the
// socket through us. So writing never waits inside OpenSSL (no SSL_ERROR_WANT_WRITE, no call that must be repeated with
// the same bytes), several pieces become one record, and it is known when the socket was empty.
//
//   receive ──► SSL_read ──► recv(fd)
//   send ─────► SSL_write ─► ciphertext ─► send(fd)
//
// Memory: an idle connection keeps OpenSSL's own state and no buffer; one that receives keeps at most a record (17 KiB);
// one whose client does not read keeps at most kUnsentBytesMax of ciphertext.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "gateway/socket.h"
#include "gateway/tls.h"

struct ssl_st;
struct bio_st;

namespace kelvin::gateway {

enum class Alpn : std::uint8_t { Http1, Http2 };

// Neither copied nor moved: OpenSSL points back to it.
class TlsStream {
 public:
  // `fd` is connected, does not block and stays the caller's; it outlives this.
  TlsStream(std::shared_ptr<const TlsSnapshot> snapshot, int fd);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  // Goes on with the handshake, then takes what came. Done: more than 0 bytes, and as many as fit or were there. Blocked:
  // call again after the socket's next event. Ended: the client has said so (close_notify) or its connection has ended
  // (is_truncated). Broken: the connection is gone, or what came was no TLS that this server speaks (failure).
  [[nodiscard]] Received receive(std::span<char> into);
  // False: a further receive would be Blocked, as long as no event of the socket says otherwise.
  bool may_receive() const { return !is_drained_ || read_end_ != Io::Blocked; }

  // Takes plain bytes off the front of `parts` (`bytes` of the answer counts them) until all are taken or the socket is
  // full. Done: everything, and ciphertext kept from before, is with the kernel. Blocked: call again when the socket
  // takes more, also when nothing is left to say: a part may be encrypted and not yet sent. Broken: the connection is gone.
  // Before the handshake is done nothing is taken.
  [[nodiscard]] Sent send(std::span<const std::string_view> parts);
  [[nodiscard]] Sent send(std::initializer_list<std::string_view> parts = {}) {
    return send(std::span(parts.begin(), parts.size()));
  }
  // Ciphertext that the kernel has not taken.
  std::size_t unsent() const { return out_.size() - out_from_; }

  // Says close_notify, once and as far as the socket takes it. Afterwards nothing can be sent; send() goes on with what is
  // kept, and bytes that still come in are to be read from the socket itself and thrown away.
  void close();

  bool is_established() const { return is_established_; }
  Alpn alpn() const { return alpn_; }
  // The name the client asked for; empty: none. Whatever the client likes: compare, do not trust.
  std::string_view server_name() const;
  std::string_view version() const;  // "TLSv1.3"
  // Ended without close_notify: what came before may have been cut off by anybody on the way.
  bool is_truncated() const { return is_truncated_; }
  // The first bytes were a plain HTTP request. Nothing was sent: a plain answer to it can be.
  bool spoke_plain_http() const { return spoke_plain_http_; }
  // Why it is Broken, in a few words; empty where the socket itself failed. Lives for ever.
  std::string_view failure() const { return failure_; }

  static constexpr std::size_t kUnsentBytesMax = 96 * 1024;

  // Of the stream that an SSL belongs to; for callbacks.
  static const TlsSnapshot& snapshot_of(const ssl_st* ssl);

 private:
  struct Wire;
  class Pieces;
  bool encrypt(Pieces& pieces);
  // False: the socket is broken.
  bool push_out();
  void note_established();
  void note_read_end(int outcome);
  void note_failure();

  std::shared_ptr<const TlsSnapshot> snapshot_;
  ssl_st* ssl_ = nullptr;
  std::string out_;  // ciphertext; freed whenever it is empty
  std::size_t out_from_ = 0;
  std::string_view failure_;
  int fd_;
  std::uint32_t round_bytes_;      // plain bytes that the next round encrypts at most
  std::uint32_t quiet_bytes_ = 0;  // that receive() has read without getting a plain byte
  Io read_end_ = Io::Blocked;      // Ended and Broken stay
  Alpn alpn_ = Alpn::Http1;
  bool is_established_ = false;
  bool is_drained_ = false;
  bool has_fin_ = false;
  bool is_truncated_ = false;
  bool spoke_plain_http_ = false;
  bool has_failed_ = false;  // TLS itself: nothing can be said any more but what is kept
  bool is_socket_broken_ = false;
  bool is_closed_ = false;
};

}  // namespace kelvin::gateway
