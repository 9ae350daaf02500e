// Who else than its owner may use the files of a migration: nobody, or the group of its folder.
#pragma once

#include <sys/types.h>

#include <string>

#include "journal/status.h"

namespace understudy {

/// Of files that the drivers of a migration use. Everything else is its owner's alone.
struct Access {
  bool shared = false;  // with `group`
  gid_t group = 0;
  uid_t owner = 0;  // of the folder
};

/// As the folder says: shared where its group may enter it. A folder that is not there is private
/// to this process's user.
Access access_of(const std::string& folder);
/// Sets group and mode of an open file, whatever the umask: 0600, or with `shared` also the group's
/// (0040 or 0060). As root also the owner. A group that this user cannot give a file to leaves it
/// private; Code::io then.
Status give_access(int file, const Access& access, bool writable);
/// Of a migration's shared memory: as its folder says; where it has none yet, shared when the
/// home's group may enter and list the home.
Access access_of_migration(const std::string& home, const std::string& migration);

// The migration's shared memory, by its name; none is opened, since that would cost its locks.

/// Owner, group and mode as access_of_migration says. Its owner and root only; Code::io otherwise.
Status share_segment(const std::string& home, const std::string& migration);
/// Says by the segment's mode, which anybody can see, that the shadow is in use, or no longer: what
/// a program still writes to production is lost then. Its owner and root only; Code::io otherwise.
Status tell_switched(const std::string& home, const std::string& migration, bool now);
/// Whether there is a segment that this process may not open.
bool may_not_open(const std::string& home, const std::string& migration);
/// Whether the segment says that the shadow is in use. Believed only of a segment of root, of
/// this user, or of the owner of the home or of the migration's folder.
bool switched(const std::string& home, const std::string& migration);
/// Whether a folder is there and this user's.
bool owns(const std::string& folder, uid_t user);

}  // namespace understudy
