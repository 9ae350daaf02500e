#include "replayer/apply/fingerprint.h"

#include <cctype>

namespace understudy {
namespace {

bool word_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || (c & 0x80) != 0;
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::string run() {
    while (at_ < text_.size() && out_.size() < kFingerprintBytesMax && step()) {
    }
    if (out_.size() > kFingerprintBytesMax) out_.resize(kFingerprintBytesMax);
    while (!out_.empty() && ((out_.back() & 0x80) != 0 || out_.back() == ' ')) out_.pop_back();
    return out_;
  }

 private:
  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  void blank() {
    if (!out_.empty() && out_.back() != ' ') out_ += ' ';
  }
  bool skip_behind(std::string_view end, std::size_t from) {
    const auto found = text_.find(end, from);
    if (found == std::string_view::npos) return false;
    at_ = found + end.size();
    return true;
  }

  bool step() {
    const char c = peek();
    if (std::isspace(static_cast<unsigned char>(c)) != 0) {
      ++at_;
      blank();
      return true;
    }
    if (c == '-' && peek(1) == '-') return skip_behind("\n", at_) && (blank(), true);
    if (c == '/' && peek(1) == '*') return skip_behind("*/", at_ + 2) && (blank(), true);
    if (c == '\'') return string();
    if (c == '$') return dollar();
    if (std::isdigit(static_cast<unsigned char>(c)) != 0) return number();
    if (word_character(c)) return word();
    if (c == '"' || c == '`') return quoted_name(c);
    out_ += c;
    ++at_;
    return true;
  }

  bool string() {
    out_ += '?';
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\') return false;
      if (text_[at_] != '\'') continue;
      if (peek(1) != '\'') {
        ++at_;
        return true;
      }
      ++at_;
    }
    return false;
  }

  // A dollar quote's value, or a numbered parameter.
  bool dollar() {
    std::size_t end = at_ + 1;
    while (end < text_.size() && word_character(text_[end])) ++end;
    if (end < text_.size() && text_[end] == '$') {
      const auto tag = text_.substr(at_, end + 1 - at_);
      out_ += '?';
      return skip_behind(tag, end + 1);
    }
    out_ += '?';
    at_ = end;
    return true;
  }

  bool number() {
    out_ += '?';
    while (word_character(peek()) || peek() == '.') ++at_;
    return true;
  }

  // N'...', E'...', X'...' and the like end at the quote and are read as strings then.
  bool word() {
    while (at_ < text_.size() && word_character(peek())) out_ += text_[at_++];
    return true;
  }

  bool quoted_name(char quote) {
    const auto end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) return false;
    out_ += text_.substr(at_, end + 1 - at_);
    at_ = end + 1;
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string out_;
};

}  // namespace

std::string fingerprint(std::string_view text) {
  return Scanner(text).run();
}

}  // namespace understudy
