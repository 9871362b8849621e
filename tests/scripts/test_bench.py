"""A short run of scripts/bench: the table has every figure, the figures fit together, and what it
says was copied is what the workload itself knows to lie on counts."""

import json
import os
import subprocess
import sys
import tempfile

from support import check, check_refuses, near, run_script

ENTRIES = 100000
CHILDREN = 2
ROUNDS = 2
COPIES = 20000
EVENTS = 30000

build = sys.argv[1]
for wrong in ('', '64', '0M', '64MB'):
    check_refuses('no size such as 64M', 'bench', '--build', build, '--perf-buffer', wrong)
check_refuses('count from 1', 'bench', '--build', build, '--rounds', '0')
with tempfile.TemporaryDirectory() as folder:
    output, said = run_script('bench', '--build', build, '--only', 'cpp', '--only', 'copies',
                              '--only', 'report', '--cold', '--rounds', str(ROUNDS), '--entries',
                              str(ENTRIES), '--copies', str(COPIES), '--events', str(EVENTS),
                              '-o', folder)
    with open(os.path.join(folder, 'bench.json'), encoding='utf-8') as file:
        results = json.load(file)
    with open(os.path.join(folder, 'bench.md'), encoding='utf-8') as file:
        check(file.read().strip() == output.strip(), 'what is printed is not what is written')
    check(sorted(os.listdir(folder)) == ['bench.json', 'bench.md'], 'traces are left')
    truth_path = os.path.join(folder, 'truth.json')
    subprocess.run([os.path.join(build, 'string_map'), '--entries', str(ENTRIES), '--children',
                    str(CHILDREN), '--truth', truth_path], check=True, stdout=subprocess.DEVNULL)
    with open(truth_path, encoding='utf-8') as file:
        truth_pages = sum(len(child['pages']) for child in json.load(file)['children'])

check(len(results['workloads']) == 1, 'one workload')
workload = results['workloads'][0]
variants = workload['variants']
expected = ['without cowscope', 'the same again', 'census only', 'exact', 'auto']
if results['perf'] == 'no perf':
    check('SKIPPED: nothing is held against perf' in said, 'that perf is missing is not said')
else:
    expected += ['perf -g', 'perf dwarf']
check(list(variants) == expected, 'variants: %s' % list(variants))

check(all('without cowscope' in group and len(group) > 1 for group in workload['groups']),
      'a group without a plain run: %s' % workload['groups'])
for part in ('getting ready', 'C++ string map', 'the long report'):
    check('%s: took ' % part in said, 'how long %s took is not said' % part)

for name, figures in variants.items():
    check(len(figures['cpu_ratio']['values']) == ROUNDS, '%s: not every round' % name)
    check('| %s |' % name in output, '%s has no row' % name)
check(set(variants['without cowscope']['cpu_ratio']['values']) == {1.0}, 'the baseline is not 1')
for name in ('census only', 'exact', 'auto'):
    copied = variants[name]['copied_pages']
    check(near(copied, truth_pages, 0.05), '%s: %d pages copied, %d hold counts'
          % (name, copied, truth_pages))
    check('added_private_kb' in variants[name], '%s: memory is missing' % name)
    check(variants[name]['lost_events'] == 0, '%s: lost events' % name)

exact = variants['exact']
check(near(exact['events'], truth_pages, 0.05), 'exact saw %d pages' % exact['events'])
check(variants['census only']['events'] == 0, 'a census without a witness saw who wrote')
# An event has 64 bytes; a trace of so few pages holds half as much besides.
share = exact['events'] * 64 / (exact['copied_pages'] * 4096)
check(share <= exact['trace_share'] <= 3 * share, 'trace: %f' % exact['trace_share'])
check(exact['report_us_per_event']['median'] > 0 and exact['report_peak_kb'] > 1024,
      'the report was not measured')
if 'perf dwarf' in variants:
    dwarf = variants['perf dwarf']
    # On a busy machine it loses most of them.
    check(dwarf['events'] > 0, 'perf saw no fault')
    # Nearly all samples hold 8 KiB of stack.
    share = dwarf['events'] * 8192 / (dwarf['copied_pages'] * 4096)
    check(dwarf['trace_share'] > 0.5 * share, 'perf wrote %f' % dwarf['trace_share'])

copied = results['long_run']['variants']['auto']['copied_pages']
check(near(copied, COPIES, 0.05), 'the long run copied %d pages' % copied)
events = results['long_report']['events']
check(near(events, EVENTS, 0.05), 'the long report has %d events' % events)
check(results['long_report']['trace_bytes'] > events * 64, 'a trace smaller than its events')

# What the kernel takes, in the order that it must be in; a page is copied in less than 100 µs.
floor = {key: figures['median'] for key, figures in workload['floor'].items()}
for what in ('fresh', 'copied'):
    alone, signal = floor[what + ' alone'], floor[what + ' signal']
    check(0 < alone < signal < 1e-4, 'the floor of %s pages: %s' % (what, floor))
check('fault on a copied page' in output, 'the floor is not printed')

told = [bar['what'] for bar in results['bars']]
for limit in ('census only', 'auto', 'exact'):
    check('C++ string map: CPU time of the command, %s' % limit in told, 'no bar for %s' % limit)
for bar in results['bars']:
    verdict = 'met' if bar['measured'] <= bar['limit'] else 'MISSED'
    check(bar['verdict'] == verdict, '%s: %s' % (bar['what'], bar['verdict']))
    row = [line for line in output.splitlines() if line.startswith('| %s |' % bar['what'])]
    check(len(row) == 1 and row[0].endswith('| %s |' % bar['bound']),
          'the bar of %s is not printed' % bar['what'])
    if 'CPU time of the command' in bar['what']:
        check(abs(sum(bar['bound_parts'].values()) - (bar['measured'] - 1)) < 1e-9,
              '%s: its parts are %s' % (bar['what'], bar['bound']))
        has_signals = 'census only' not in bar['what']
        check(list(bar['bound_parts']) == ['signals'] * has_signals + ['recorder', 'rest'],
              '%s: its parts are %s' % (bar['what'], bar['bound']))
check('are no result' in output, 'that so few rounds are no result is not said')
