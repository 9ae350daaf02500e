// A connection's part in its migration, and a statement's part in an execution.
#pragma once

namespace understudy::capture {

class Session {};
class Execution {};

}  // namespace understudy::capture
