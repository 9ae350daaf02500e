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
/// Whether this process may not open the segment, or where there is none, may not make one: its
/// folder is there and closed to this process.
bool may_not_open(const std::string& home, const std::string& migration);
/// Whether the segment, or side_in_use, says that the shadow is in use. A segment is believed only
/// when it is of root, of this user, or of the owner of the home or of the migration's folder.
bool switched(const std::string& home, const std::string& migration);

/// Which database is in use, for whoever finds no shared memory, as after a restart of the host.
/// The state file decides; this follows it, and is `undecided` while that is being written.
enum class SideInUse { production, undecided, shadow };

/// By the mode of the migration's folder (sticky: not production; setuid, which means nothing for a
/// folder: undecided), on disk when it returns. Its owner and root only; Code::io otherwise.
Status tell_side_in_use(const std::string& home, const std::string& migration, SideInUse side);
/// `production` where there is no folder, or one that is not of root, this user or the home's
/// owner.
SideInUse side_in_use(const std::string& home, const std::string& migration);
/// Whether a folder is there and this user's.
bool owns(const std::string& folder, uid_t user);

}  // namespace understudy
