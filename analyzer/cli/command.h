// The commands of `cowscope`. Each lives in its own file, takes the arguments behind its name and
// returns the exit status; cowscope::Error thrown out of it becomes one line and status 2.
#pragma once

#include <string>
#include <vector>

namespace cowscope::cli {

using Arguments = std::vector<std::string>;

// Exit statuses that users and scripts rely on.
inline constexpr int kSuccess = 0;
inline constexpr int kCheckFailed = 1;
inline constexpr int kUsageError = 2;

int run_command(const Arguments& arguments);
int record_command(const Arguments& arguments);
int report_command(const Arguments& arguments);
int html_command(const Arguments& arguments);
int diff_command(const Arguments& arguments);
int check_command(const Arguments& arguments);
int export_command(const Arguments& arguments);
int dump_command(const Arguments& arguments);
int doctor_command(const Arguments& arguments);

}  // namespace cowscope::cli
