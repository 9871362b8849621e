// What the ends of a process have to tell each other.
#pragma once

namespace cowscope::hooks {

// Of the quick_exit() that is under way.
extern int quick_exit_status;

}  // namespace cowscope::hooks
