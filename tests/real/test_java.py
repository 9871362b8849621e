"""Java: threads, garbage collection, and processes that it starts."""

from support import begin, find

SOURCE = """
import java.io.*;
import java.util.*;
import java.util.concurrent.*;

public class Script {
    public static void main(String[] arguments) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(4);
        List<Future<Integer>> sums = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            final int seed = i;
            sums.add(pool.submit(() -> {
                int sum = 0;
                for (int j = 0; j < 200000; j++) sum += new byte[64 + (j + seed) % 64].length;
                return sum;
            }));
        }
        for (Future<Integer> sum : sums) System.out.println("sum " + sum.get());
        pool.shutdown();
        for (int i = 0; i < 3; i++) {
            Process child = new ProcessBuilder("/bin/sh", "-c", "echo child " + i + "; exit " + i).start();
            System.out.println(new BufferedReader(new InputStreamReader(child.getInputStream())).readLine());
            System.out.println("ended with " + child.waitFor());
        }
        String nothing = arguments.length == 0 ? null : arguments[0];
        // The virtual machine handles the fault of this itself, by a signal.
        for (int i = 0; i < 3; i++) {
            try { System.out.println(nothing.length()); }
            catch (NullPointerException expected) { System.out.println("a null pointer"); }
        }
        Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
        System.exit(11);
    }
}
"""

java = find("java")
test = begin(java, "--version")
script = test.write("Script.java", SOURCE)
# FORK is the way of older versions: a child that is a copy until it executes.
for way in ("POSIX_SPAWN", "FORK"):
    test.both(f"java {way}", [java, "-Xmx128m", "-XX:TieredStopAtLevel=1",
                              f"-Djdk.lang.Process.launchMechanism={way}", script],
              status=11, min_forks=3 if way == "FORK" else 0)
test.finish()
