// A child that does nothing but share its parent's memory, until the parent lets it go.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

class SharingChild {
  public:
    SharingChild() {
        require(pipe(ends_) == 0, "pipe");
        pid_ = fork();
        require(pid_ >= 0, "fork");
        if (pid_ == 0) {
            close(ends_[1]);
            char byte;
            _exit(read(ends_[0], &byte, 1) == 0 ? 0 : 1);
        }
        close(ends_[0]);
    }
    SharingChild(const SharingChild&) = delete;
    SharingChild& operator=(const SharingChild&) = delete;

    void end() {
        close(ends_[1]);
        int status = 0;
        require(waitpid(pid_, &status, 0) == pid_ && status == 0, "waitpid");
    }

  private:
    static void require(bool condition, const char* what) {
        if (condition) return;
        std::perror(what);
        std::_Exit(98);
    }

    int ends_[2];
    pid_t pid_;
};
