// Records of the journal in words, one line each.
#pragma once

#include <string>

#include "journal/record.h"
#include "journal/segment.h"

namespace understudy {

/// `reader`: the one that the record was just read from, for its dictionary. Values of rows and
/// parameters, and literals in statements, are left out unless `show_values`. Throws
/// std::runtime_error when the record does not decode.
std::string record_text(const JournalReader& reader, const JournalRecord& record, bool show_values);
std::string_view record_type_name(RecordType type);
/// 2024-05-06T07:08:09.123456Z.
std::string time_text(std::int64_t us);
/// On one line: control characters and backslashes are escaped.
std::string one_line(std::string_view text);

/// Head and entries of a transaction record, or the entries of a chunk. Throws std::runtime_error.
std::vector<Entry> record_entries(const JournalRecord& record);

}  // namespace understudy
