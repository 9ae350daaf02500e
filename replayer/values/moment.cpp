#include "replayer/values/moment.h"

#include <fmt/format.h>

#include <chrono>

#include "replayer/values/value.h"

namespace understudy {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool done() const { return rest_.empty(); }
  bool accept(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  /// Between `least` and `most` digits.
  bool number(std::size_t least, std::size_t most, int* out) {
    std::size_t count = 0;
    *out = 0;
    while (count < rest_.size() && count < most && rest_[count] >= '0' && rest_[count] <= '9') {
      *out = *out * 10 + (rest_[count++] - '0');
    }
    rest_.remove_prefix(count);
    return count >= least;
  }
  bool fraction(std::string* out) {
    while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') {
      *out += rest_.front();
      rest_.remove_prefix(1);
    }
    const bool any = !out->empty();
    while (out->ends_with('0')) out->pop_back();
    return any;
  }

 private:
  std::string_view rest_;
};

// [:SS[.fraction]]
bool read_seconds(Reader& in, int* second, std::string* fraction) {
  if (!in.accept(':')) return true;
  if (!in.number(2, 2, second)) return false;
  return !in.accept('.') || in.fraction(fraction);
}

bool read_offset(Reader& in, Moment* out) {
  if (in.accept('Z') || in.accept('z')) {
    out->offset_minutes = 0;
    return true;
  }
  const bool west = in.accept('-');
  if (!west && !in.accept('+')) return true;
  int hours = 0;
  int minutes = 0;
  if (!in.number(2, 2, &hours)) return false;
  if (in.accept(':') && !in.number(2, 2, &minutes)) return false;
  const int all = hours * 60 + minutes;
  out->offset_minutes = west ? -all : all;
  return true;
}

bool read_time(Reader& in, Moment* out) {
  if (in.done()) return true;
  if (!in.accept(' ') && !in.accept('T')) return false;
  if (!in.number(2, 2, &out->hour) || !in.accept(':') || !in.number(2, 2, &out->minute) ||
      !read_seconds(in, &out->second, &out->fraction)) {
    return false;
  }
  in.accept(' ');
  return read_offset(in, out) && in.done();
}

void require_existing(const Moment& moment) {
  if (moment.month == 0 || moment.day == 0) throw Unconvertible("a zero date");
  if (moment.year == 0) throw Unconvertible("a date before the year 1");
  const std::chrono::year_month_day date(std::chrono::year(moment.year),
                                         std::chrono::month(static_cast<unsigned>(moment.month)),
                                         std::chrono::day(static_cast<unsigned>(moment.day)));
  if (!date.ok() || moment.hour > 23 || moment.minute > 59 || moment.second > 59) {
    throw Unconvertible("a date that does not exist");
  }
}

std::string with_fraction(const std::string& text, const std::string& fraction) {
  return fraction.empty() ? text : text + "." + fraction;
}

}  // namespace

std::optional<Moment> parse_moment(std::string_view text) {
  Reader in(text);
  Moment out;
  if (!in.number(4, 4, &out.year) || !in.accept('-') || !in.number(2, 2, &out.month) ||
      !in.accept('-') || !in.number(2, 2, &out.day) || !read_time(in, &out)) {
    return std::nullopt;
  }
  require_existing(out);
  return out;
}

Moment in_utc(const Moment& moment) {
  if (moment.offset_minutes.value_or(0) == 0) {
    Moment out = moment;
    out.offset_minutes.reset();
    return out;
  }
  using namespace std::chrono;
  const sys_days date(year_month_day(year(moment.year), month(static_cast<unsigned>(moment.month)),
                                     day(static_cast<unsigned>(moment.day))));
  const auto at = sys_seconds(date) + hours(moment.hour) +
                  minutes(moment.minute - *moment.offset_minutes) + seconds(moment.second);
  const auto midnight = floor<days>(at);
  const year_month_day there(midnight);
  const hh_mm_ss clock(at - midnight);
  Moment out;
  out.year = static_cast<int>(there.year());
  out.month = static_cast<int>(static_cast<unsigned>(there.month()));
  out.day = static_cast<int>(static_cast<unsigned>(there.day()));
  out.hour = static_cast<int>(clock.hours().count());
  out.minute = static_cast<int>(clock.minutes().count());
  out.second = static_cast<int>(clock.seconds().count());
  out.fraction = moment.fraction;
  return out;
}

std::string date_text(const Moment& moment) {
  return fmt::format("{:04}-{:02}-{:02}", moment.year, moment.month, moment.day);
}

std::string date_time_text(const Moment& moment) {
  return with_fraction(fmt::format("{} {:02}:{:02}:{:02}", date_text(moment), moment.hour,
                                   moment.minute, moment.second),
                       moment.fraction);
}

std::optional<std::string> hours_text(std::string_view text) {
  Reader in(text);
  const bool negative = in.accept('-');
  int hour = 0;
  int minute = 0;
  int second = 0;
  std::string fraction;
  if (!in.number(2, 4, &hour) || !in.accept(':') || !in.number(2, 2, &minute) ||
      !read_seconds(in, &second, &fraction) || !in.done() || minute > 59 || second > 59) {
    return std::nullopt;
  }
  const bool zero = hour == 0 && minute == 0 && second == 0 && fraction.empty();
  return (negative && !zero ? "-" : "") +
         with_fraction(fmt::format("{:02}:{:02}:{:02}", hour, minute, second), fraction);
}

}  // namespace understudy
