#include "driver/handle/connection.h"

#include "driver/capture/session.h"
#include "driver/handle/descriptor.h"
#include "driver/handle/statement.h"
#include "driver/real/wide.h"

namespace understudy {

Connection::Connection(Environment& owner) : Handle(HandleKind::connection), environment(owner) {}

Connection::~Connection() {
  real::wipe(connect_text);
}

}  // namespace understudy
