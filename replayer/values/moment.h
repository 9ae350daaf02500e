// Dates and times as texts of one engine, written as PostgreSQL writes them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace understudy {

/// `YYYY-MM-DD`, with or without a time behind a blank or T, and behind that Z or an offset such as
/// +02:00. What has no such form is nothing; a date that does not exist throws Unconvertible.
struct Moment {
  int year = 0;
  int month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  std::string fraction;  // of a second, without zeros at its end
  std::optional<int> offset_minutes;
};
std::optional<Moment> parse_moment(std::string_view text);
/// The same moment without an offset.
Moment in_utc(const Moment& moment);

std::string date_text(const Moment& moment);
/// Date and time, the fraction without zeros at its end.
std::string date_time_text(const Moment& moment);

/// `[-]HH:MM[:SS[.fraction]]` with any number of hours, as PostgreSQL writes an interval of them.
std::optional<std::string> hours_text(std::string_view text);

}  // namespace understudy
