// Included last in every source file of the shim: whatever may allocate, take a lock of the host,
// print, or go through a symbol that the host may interpose, does not compile. The rules behind it:
// the shim's code runs in fault handlers, in children of threaded parents and between the host's
// own instructions.
#pragma once

#pragma GCC poison malloc calloc realloc free strdup asprintf
#pragma GCC poison printf fprintf sprintf snprintf vprintf vfprintf puts fputs perror
#pragma GCC poison fopen fdopen fclose fread fwrite getline
#pragma GCC poison getenv setenv putenv unsetenv
#pragma GCC poison pthread_mutex_lock pthread_create pthread_once
#pragma GCC poison opendir readdir syslog abort
