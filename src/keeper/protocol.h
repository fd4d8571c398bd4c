// protocol: what the platform and the keeper say to each other over run/keeper.sock.
//
// One JSON object per datagram of at most 64 KiB, descriptors beside it. The platform sends requests, each with a number
// of its own; the keeper answers each with a message of that number, and sends messages of number 0 on its own when a
// replica has ended. Every object carries "v"; another version is answered by an error and nothing else happens.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "keeper/record.h"
#include "os/spawn.h"

namespace kelvin::keeper {

constexpr int kProtocolVersion = 1;
// Longest note of the platform about a replica, so that a record always fits a datagram.
constexpr std::size_t kNoteBytesMax = 8192;
// An answer to List stops growing here and says that there is more.
constexpr std::size_t kPageBytesMax = 32 * 1024;

enum class Verb : std::uint8_t {
  Hello,  // take over as the platform; descriptors: what the sender still holds from an earlier keeper, named by `offers`
  Spawn,  // answered when the program runs or could not be run
  Listen,  // answered with a listening socket for `address`, the same one every time
  List,  // answered with records whose id follows `replica` in the order of text, and whether there are more
  Forget,  // removes the record of a replica that has ended
  Quit,    // the keeper ends; refused (Conflict) while replicas live
};

struct SpawnOrder {
  std::string replica;
  std::string program;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  std::string folder;
  std::optional<os::SpawnUser> user;
  os::CgroupLimits limits;
  std::string log;
  std::string note;
};

struct Request {
  std::uint64_t id = 0;
  Verb verb = Verb::Hello;
  std::string replica;
  std::string address;
  std::vector<std::string>
      offers;  // "slots", or the address of a listening socket; one per descriptor
  SpawnOrder order;
};

struct Message {
  std::uint64_t id = 0;  // of the request; 0: a replica has ended, its record is in `records`
  std::optional<Error> error;
  pid_t pid = 0;                     // Hello: the keeper's; Spawn: the replica's
  std::vector<std::string> missing;  // Hello: what this machine does not offer, as phrases
  std::vector<Record> records;       // Spawn: one; List: a page
  bool has_more = false;             // List
};

// Invalid when it does not fit a datagram or a text is not UTF-8.
Result<std::string> encode(const Request& request);
std::string encode(const Message& message);
Result<Request> decode_request(std::string_view text);
Result<Message> decode_message(std::string_view text);

}  // namespace kelvin::keeper
