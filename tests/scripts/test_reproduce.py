"""scripts/reproduce --quick, in either order: its tables are there, and what cowscope attributes is
what the kernel says that the memory grew by."""

import json
import os
import sys
import tempfile
import xml.etree.ElementTree

from support import check, check_refuses, near, run_script

build = sys.argv[1]


def grown_kb(run):
    return run['peak_kb'] - run['started_kb']


def check_tables(options, python_read, cpp_read):
    with tempfile.TemporaryDirectory() as folder:
        output, _ = run_script('reproduce', '--build', build, '--quick', *options, '-o', folder)
        with open(os.path.join(folder, 'reproduce.json'), encoding='utf-8') as file:
            results = json.load(file)
        with open(os.path.join(folder, 'reproduce.md'), encoding='utf-8') as file:
            markdown = file.read()
        plots = [os.path.join(folder, name) for name in os.listdir(folder) if name.endswith('.svg')]
        check(len(plots) == 2, 'a plot of Python and one of C++, and not %s' % plots)
        for path in plots:
            root = xml.etree.ElementTree.parse(path).getroot()
            lines = [each for each in root.iter() if each.tag.endswith('polyline')]
            check(len(lines) == 4, '%s has %d lines' % (path, len(lines)))
            check('](%s)' % os.path.basename(path) in markdown, '%s is not shown' % path)

    check(markdown.strip() == output.strip(), 'what is printed is not what is written')
    check(len(results['sizes']) == 1, 'one size')
    check(results['machine']['kernel'] == os.uname().release, 'the kernel is named')
    cases = results['sizes'][0]['cases']
    check(len(cases) == 4, '%d cases' % len(cases))
    for case in cases:
        check_case(case, markdown)
        check(case['read'] == (python_read if case['program'].startswith('Python') else cpp_read),
              '%s was read by %s' % (case['program'], case['read']))


def check_case(case, markdown):
    row = [line for line in markdown.splitlines()
           if line.startswith('| %s | %s |' % (case['program'], case['values']))]
    check(len(row) == 1, 'a row of %s, %s' % (case['program'], case['values']))
    is_interned = case['values'] == 'interned'
    copied_kb = case['cowscope']['copied_bytes'] / 1024
    plain_kb = grown_kb(case['without'])
    told = '%s, %s: grew by %d kB without cowscope and %d with it; %d kB copied' % (
        case['program'], case['values'], plain_kb, grown_kb(case['with']), copied_kb)
    print(told)
    if is_interned:
        # The interpreters' own few pages.
        check(plain_kb < 8 * 1024 and copied_kb < 10 * 1024, told)
    else:
        check(plain_kb > 30 * 1024, told)
        check(near(copied_kb, plain_kb, 0.2), told)
        check(near(grown_kb(case['with']), plain_kb, 0.2), told)
        check(case['cowscope']['causes']['refcount'] / 1024 > 0.9 * copied_kb, told)
        if case['program'].startswith('Python'):
            check(case['cowscope']['first_owner'] == '__main__.global_map (dict values)', told)


check_tables([], 'key', 'key')
check_tables(['--read', 'values'], 'values', 'iterate')
check_refuses('invalid choice', 'reproduce', '--build', build, '--read', 'backwards')
