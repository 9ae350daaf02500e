// PostgreSQL: what the ids of other transactions in the journal say of one in doubt.
//
// A server that has crashed gives the ids of transactions that left nothing on its disk once more,
// and what it then says of such an id is said of another transaction.
#pragma once

#include <cstdint>

#include "journal/segment.h"

namespace understudy {

inline constexpr std::uint64_t kEarlierRecordsMax = 100'000;  // read before the one in doubt

/// Whether the id of the transaction at `seq` was given once more, so that it was not committed:
/// another one with its id was, or one that began after it was sealed has an id that is not
/// greater. Looked for among kEarlierRecordsMax records before it and kLaterRecordsMax behind.
/// False proves nothing. Throws on damage of the journal.
bool id_given_again(JournalReader& journal, std::uint64_t seq);

}  // namespace understudy
