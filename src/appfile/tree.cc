#include "appfile/tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

#include "base/utf8.h"

namespace kelvin::appfile {

namespace {

// Turns byte offsets into positions. Offsets mostly grow, so it walks on from the last one instead of counting anew.
class Ruler {
 public:
  explicit Ruler(std::string_view text) : text_(text) {}

  Position at(std::size_t offset) {
    offset = std::min(offset, text_.size());
    if (offset < offset_) {
      offset_ = 0;
      at_ = {};
    }
    for (; offset_ < offset; ++offset_) {
      if (text_[offset_] == '\n') {
        at_ = {.line = at_.line + 1, .column = 1};
      } else if (!is_utf8_continuation(text_[offset_])) {
        ++at_.column;
      }
    }
    return at_;
  }

 private:
  std::string_view text_;
  std::size_t offset_ = 0;
  Position at_;
};

// The offset of a tab that indents the line of `offset`, if nothing but white space and list dashes stands before it.
std::optional<std::size_t> find_indenting_tab(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const std::size_t line_end = before.rfind('\n');
  const std::size_t start = line_end == std::string_view::npos ? 0 : line_end + 1;
  const std::string_view line = text.substr(start, text.find('\n', start) - start);
  const std::size_t first = line.find_first_not_of(" \t-");
  const std::size_t tab = line.find('\t');
  if (tab == std::string_view::npos || tab > first) return std::nullopt;
  return start + tab;
}

// Looks at bytes only: what no YAML text may hold.
std::optional<Flaw> find_byte_flaw(std::string_view text, const Limits& limits) {
  if (text.size() > limits.file_bytes_max) {
    return Flaw{.at = {},
                .found = std::to_string(text.size()) + " bytes",
                .expected = "at most " + std::to_string(limits.file_bytes_max) + " bytes",
                .sentence = "the file has " + std::to_string(text.size()) +
                            " bytes; an app file has at most " +
                            std::to_string(limits.file_bytes_max)};
  }
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text.substr(i));
    if (length == 0) {
      return Flaw{.at = Ruler(text).at(i),
                  .found = "a byte that is no UTF-8",
                  .expected = "UTF-8 text",
                  .sentence = "this byte is no UTF-8; save the file as UTF-8 text"};
    }
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool is_control =
        (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7f;
    if (is_control) {
      return Flaw{.at = Ruler(text).at(i),
                  .found = byte == 0 ? "a NUL byte" : "a control character",
                  .expected = "plain text",
                  .sentence = std::string(byte == 0 ? "a NUL byte" : "a control character") +
                              " stands here; an app file is plain text"};
    }
    i += length;
  }
  return std::nullopt;
}

// What the parser's commonest complaints mean to somebody who does not know its grammar.
std::string explain_syntax(const std::string& why) {
  struct Meaning {
    std::string_view why;
    std::string_view meaning;
  };
  constexpr Meaning kMeanings[] = {
      {"illegal map value",
       "a key and its ':' cannot stand here; is the line indented like its neighbours?"},
      {"illegal block entry", "a list item cannot stand here; begin it on a line of its own"},
      {"end of map not found", "this line fits no key above; is it indented like its neighbours?"},
      {"end of sequence not found",
       "this line fits no list above; is it indented like its neighbours?"},
      {"end of sequence flow not found", "a '[' or a quote is not closed"},
      {"end of map flow not found", "a '{' or a quote is not closed"},
      {"illegal EOF in scalar", "a quote is not closed"},
      {"illegal flow end", "a closing bracket without its opening one"},
  };
  for (const Meaning& m : kMeanings) {
    if (m.why == why) return std::string(m.meaning);
  }
  // The parser may quote half a character.
  return shorten(why, 100);
}

// Leaves the parser from inside a callback; never leaves this file.
struct Stop {
  Flaw flaw;
};

// Builds a tree out of the parser's events. The events of a map are those of its keys and values in turn.
class Builder final : public YAML::EventHandler {
 public:
  Builder(std::string_view text, const Limits& limits)
      : text_(text), limits_(limits), ruler_(text) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ == 0) return;
    const std::size_t from = std::min(offset(mark), text_.size());
    const bool is_document = text_.substr(from).starts_with("---") ||
                             text_.substr(0, from).find("\n...") != std::string_view::npos;
    if (is_document) {
      throw Stop{{.at = at(mark),
                  .found = "a second document",
                  .expected = "one document",
                  .sentence = "a second document begins here; an app file holds one app"}};
    }
    // The parser takes what it cannot place, such as a ',', for the start of a document, and never gets past it.
    root_.reset();
    const std::string found =
        "'" + shorten(text_.substr(from, utf8_length(text_.substr(from)))) + "'";
    throw Stop{{.at = at(mark),
                .found = found,
                .expected = "YAML",
                .sentence = "this is not valid YAML: " + found + " cannot stand here"}};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    add(Node{.kind = Node::Kind::Nothing, .at = at(mark)});
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    flaws_.push_back({.at = at(mark),
                      .found = "an alias",
                      .expected = "the value itself",
                      .sentence = "aliases (*name) are not accepted; write the value out"});
    add(Node{.kind = Node::Kind::Nothing, .at = at(mark), .is_refused = true});
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    // Escapes in quotes ("\0") make characters that the text itself does not hold.
    if (value.find('\0') != std::string::npos) {
      flaws_.push_back(
          {.at = at(mark),
           .found = "a NUL character",
           .expected = "text without NUL",
           .sentence = "this text holds a NUL character, which no program can be given"});
    }
    // Only the first value of a line shows how it is indented.
    if (mark.line != last_line_) refuse_tab(mark);
    last_line_ = mark.line;
    add(Node{.kind = Node::Kind::Scalar, .at = at(mark), .is_quoted = tag == "!", .text = value});
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Node::Kind::List, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Node::Kind::Map, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

  Tree take() && { return {.root = std::move(root_), .flaws = std::move(flaws_)}; }

  // The text is no YAML from here on.
  void give_up(const YAML::Mark& mark, const std::string& why) {
    root_.reset();
    if (refuse_tab(mark)) return;
    flaws_.push_back({.at = at(mark),
                      .found = shorten(why),
                      .expected = "YAML",
                      .sentence = "this is not valid YAML: " + explain_syntax(why)});
  }
  void give_up(Flaw flaw) { flaws_.push_back(std::move(flaw)); }

 private:
  static std::size_t offset(const YAML::Mark& mark) {
    return static_cast<std::size_t>(std::max(mark.pos, 0));
  }
  Position at(const YAML::Mark& mark) { return ruler_.at(offset(mark)); }

  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor == YAML::NullAnchor) return;
    flaws_.push_back(
        {.at = at(mark),
         .found = "an anchor",
         .expected = "a plain value",
         .sentence = "anchors (&name) are not accepted; write the value out where it is needed"});
  }

  void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    flaws_.push_back(
        {.at = at(mark),
         .found = "a tag",
         .expected = "a plain value",
         .sentence = "tags such as !!str are not accepted; write the value without it"});
  }

  void open(Node::Kind kind, const YAML::Mark& mark, const std::string& tag,
            YAML::anchor_t anchor) {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (opened_.size() == limits_.depth_max) {
      throw Stop{{.at = at(mark),
                  .found = "lists or maps inside each other",
                  .expected = "at most " + std::to_string(limits_.depth_max) + " levels",
                  .sentence = "lists and maps are nested too deeply; an app file needs at most " +
                              std::to_string(limits_.depth_max) + " levels"}};
    }
    opened_.push_back(Node{.kind = kind, .at = at(mark)});
  }

  void close() {
    Node node = std::move(opened_.back());
    opened_.pop_back();
    add(std::move(node));
  }

  void add(Node node) {
    if (++nodes_ > limits_.nodes_max) {
      throw Stop{{.at = node.at,
                  .found = "more than " + std::to_string(limits_.nodes_max) + " values",
                  .expected = "at most " + std::to_string(limits_.nodes_max) + " values",
                  .sentence =
                      "the file holds more than " + std::to_string(limits_.nodes_max) + " values"}};
    }
    if (opened_.empty()) {
      root_ = std::move(node);
    } else {
      opened_.back().items.push_back(std::move(node));
    }
  }

  // True where the line of `mark` is indented with a tab; the complaint is made once per line.
  bool refuse_tab(const YAML::Mark& mark) {
    const std::optional<std::size_t> tab = find_indenting_tab(text_, offset(mark));
    if (!tab) return false;
    if (tab == last_tab_) return true;
    last_tab_ = tab;
    flaws_.push_back({.at = ruler_.at(*tab),
                      .found = "a tab",
                      .expected = "spaces",
                      .sentence = "this line is indented with a tab; YAML wants spaces"});
    return true;
  }

  std::string_view text_;
  const Limits& limits_;
  Ruler ruler_;
  std::optional<std::size_t> last_tab_;
  int last_line_ = -1;
  std::vector<Node> opened_;
  std::optional<Node> root_;
  std::vector<Flaw> flaws_;
  std::size_t nodes_ = 0;
  std::size_t documents_ = 0;
};

}  // namespace

Tree read_tree(std::string_view text, const Limits& limits) {
  // A byte order mark is no part of the text; without it the parser's offsets are ours.
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  if (std::optional<Flaw> flaw = find_byte_flaw(text, limits)) return {.flaws = {*std::move(flaw)}};
  Builder builder(text, limits);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) continue;
  } catch (Stop& stop) {
    builder.give_up(std::move(stop.flaw));
  } catch (const YAML::Exception& e) {
    builder.give_up(e.mark, e.msg);
  } catch (const std::exception& e) {
    builder.give_up(YAML::Mark(), e.what());
  }
  return std::move(builder).take();
}

std::string shorten(std::string_view text, std::size_t most) {
  std::string shown;
  std::size_t i = 0;
  while (i < text.size() && shown.size() < most) {
    const std::size_t length = std::max<std::size_t>(utf8_length(text.substr(i)), 1);
    const bool is_stray = utf8_length(text.substr(i)) == 0;
    const auto byte = static_cast<unsigned char>(text[i]);
    // C1 controls (U+0080 .. U+009F) steer terminals as well as C0 does.
    const bool is_c1 =
        length == 2 && byte == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (byte < 0x20 || byte == 0x7f || is_c1 || is_stray) {
      constexpr std::string_view kHex = "0123456789abcdef";
      const auto code = is_c1 ? static_cast<unsigned char>(text[i + 1]) : byte;
      shown += byte == '\n' ? "\\n" : std::string("\\x") + kHex[code >> 4] + kHex[code & 15];
    } else {
      shown += text.substr(i, length);
    }
    i += length;
  }
  return i < text.size() ? shown + "..." : shown;
}

std::string describe(const Node& node) {
  switch (node.kind) {
    case Node::Kind::Nothing:
      return "nothing";
    case Node::Kind::List:
      return "a list";
    case Node::Kind::Map:
      return "a map";
    case Node::Kind::Scalar:
      return "'" + shorten(node.text) + "'";
  }
  return "nothing";
}

}  // namespace kelvin::appfile
