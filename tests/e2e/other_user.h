// An unprivileged user, and the programs where that user can run them.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/temporary_folder.h"

namespace cowscope::e2e {

// nobody's number; where the tests are not run by root, the user is who runs them.
class OtherUser {
  public:
    OtherUser() {
        namespace fs = std::filesystem;
        let_through(folder_.path());
        // The build folder may lie where nobody else comes.
        for (const std::string& program : {kCowscope, kShim, kStringMap, kPageWriter}) {
            const fs::path copy = folder_.path() / fs::path(program).filename();
            fs::copy_file(program, copy);
            chmod(copy.c_str(), 0755);
        }
    }

    std::string cowscope() const { return folder_ / "cowscope"; }
    std::string string_map() const { return folder_ / "string_map"; }
    std::string page_writer() const { return folder_ / "page_writer"; }

    uid_t id() const { return geteuid() == 0 ? kNobody : geteuid(); }

    // In a process that is to be this user.
    bool become() const {
        if (geteuid() != 0) return true;
        return setgid(kNobody) == 0 && setuid(kNobody) == 0;
    }
    // Others may look into the folder.
    void let_through(const std::filesystem::path& folder) const { chmod(folder.c_str(), 0755); }
    // The folder becomes this user's.
    bool give(const std::filesystem::path& folder) const {
        return geteuid() != 0 || chown(folder.c_str(), kNobody, kNobody) == 0;
    }

  private:
    static constexpr uid_t kNobody = 65534;
    TemporaryFolder folder_;
};

}  // namespace cowscope::e2e
