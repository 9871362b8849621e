"""Perl: children that read many scalars write a count in each."""

from support import begin, find

SCRIPT = """
use POSIX ();
my @items = map { "item $_ of the list" } 1 .. 100000;
my @children;
for my $child (1 .. 3) {
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        my $length = 0;
        for my $item (@items) { my $copy = $item; $length += length $copy; }
        syswrite STDOUT, "child $child read $length\\n";
        POSIX::_exit($child);
    }
    push @children, $pid;
}
for my $pid (@children) { waitpid $pid, 0; print "ended with ", $? >> 8, "\\n"; }
print `echo from a shell`;
open my $pipe, "-|", "sort -r /etc/passwd | tail -n 1" or die;
print "piped ", scalar(<$pipe>);
close $pipe;
exit 5;
"""

perl = find("perl")
test = begin(perl, "-v")
script = test.write("script.pl", SCRIPT)
report = test.both("perl", [perl, script], status=5, min_forks=5)
test.that(report.by_children() >= 3 * 100000 * 24 / 4096,
          f"three children that read 100,000 scalars of 24 bytes copied {report.by_children()} pages")
test.share_of(report, 0.9, "refcount")
test.finish()
