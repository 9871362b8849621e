"""Ruby: fork, threads, and processes that it starts."""

from support import begin, find

SCRIPT = """
items = (1..100_000).map { |i| "item number #{i} of the list, long enough" }
children = (1..3).map do |child|
  fork do
    length = 0
    items.each { |item| length += item.length }
    GC.start
    STDOUT.write "child #{child} read #{length}\\n"
    exit! child
  end
end
children.each { |pid| Process.wait pid; puts "ended with #{$?.exitstatus}" }
puts `echo from a shell`
puts IO.popen(["sort", "-r"], "r+") { |io| io.puts "a", "b"; io.close_write; io.read }
Thread.new { system("exit 3") }.join
puts $?.exitstatus
exit 7
"""

ruby = find("ruby")
test = begin(ruby, "--version")
report = test.both("ruby", [ruby, test.write("script.rb", SCRIPT)], status=7, min_forks=3)
test.that(report.by_children() > 0, "the children copied nothing")
# Debian's libruby is stripped: what its collector writes is told by the module alone.
by_ruby = sum(site["pages"] for site in report.sites if site["module"].startswith("libruby"))
test.that(not report.has_witness or by_ruby >= 0.9 * report.copied(),
          f"only {by_ruby} of {report.copied()} pages are written by libruby")
test.finish()
