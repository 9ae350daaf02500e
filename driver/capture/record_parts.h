// Statements of PostgreSQL that write in several places: sql::Analysis::parts.
#pragma once

#include "driver/capture/work.h"

namespace understudy::capture {

/// Bytes of rows of one statement that are held until their order is known; a statement that
/// changes more is counted as not captured.
inline constexpr std::size_t kPartsBytesMax = 256u << 20;

/// The rows that the execution of our own text has returned, as an entry for each table that it
/// changed; `ret` is its answer. False: they could not be read.
bool record_returned_parts(const Work& work, Slice slice, SQLRETURN ret);
/// The rows that it has kept, beside a result that the application sees.
bool record_kept_parts(const Work& work);

}  // namespace understudy::capture
