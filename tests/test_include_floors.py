"""include_floors on made-up trees: what is right passes, and each kind of offence is named."""

import importlib.machinery
import importlib.util
import os
import tempfile
import unittest

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'include_floors')
loader = importlib.machinery.SourceFileLoader('include_floors', TOOL)
floors = importlib.util.module_from_spec(importlib.util.spec_from_loader('include_floors', loader))
loader.exec_module(floors)


def include(*names):
    return ''.join('#include "%s"\n' % name for name in names)


RIGHT = {
    'preload/format/trace_format.h': '',
    'preload/support/text.h': '',
    'preload/unwind/walker.h': '',
    # In both ways that the shim's files name others, and a sibling that is drawn.
    'preload/witness/trap.cpp': include('witness/trap.h', 'unwind/walker.h'),
    'preload/witness/trap.h': include('preload/support/text.h', '../support/text.h'),
    'preload/hooks/fork.cpp': include('witness/trap.h') + '#include <sys/wait.h>\n',
    'analyzer/base/text.h': include('preload/format/trace_format.h'),
    'analyzer/observe/scan.h': '',
    'analyzer/record/record.cpp': include('observe/scan.h', 'base/text.h'),
    'analyzer/cli/record.cpp': include('base/text.h'),
    'analyzer/runtime/cpython/frames.cpp': '',
    'analyzer/runtime/perl/frames.cpp': '',
}


class TreeTest(unittest.TestCase):
    def offences(self, files=None, exceptions=()):
        with tempfile.TemporaryDirectory() as root:
            for path, content in {**RIGHT, **(files or {})}.items():
                path = os.path.join(root, path)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, 'w', encoding='utf-8') as file:
                    file.write(content)
            return floors.find_offences(root, exceptions)

    def check_one(self, files, *parts):
        offences = self.offences(files)
        self.assertEqual(len(offences), 1, offences)
        for part in parts:
            self.assertIn(part, offences[0])

    def test_what_is_right_passes(self):
        self.assertEqual(self.offences(), [])

    def test_an_include_of_a_higher_floor(self):
        self.check_one({'preload/support/lock.cpp': '\n' + include('witness/trap.h')},
                       'preload/support/lock.cpp includes preload/witness/trap.h', 'line 2',
                       'preload/support may include preload/arch, preload/format')

    def test_an_include_of_a_sibling_that_is_not_drawn(self):
        self.check_one({'preload/tracker/pagemap.h': include('unwind/walker.h')},
                       'preload/tracker/pagemap.h includes preload/unwind/walker.h')

    def test_siblings_that_include_each_other(self):
        drawn = dict(floors.SIBLINGS, **{'preload/unwind': ['preload/witness']})
        kept, floors.SIBLINGS = floors.SIBLINGS, drawn
        try:
            self.check_one({'preload/unwind/walker.h': include('witness/trap.h')},
                           'cycle preload/', 'preload/unwind/walker.h:1')
        finally:
            floors.SIBLINGS = kept

    def test_more_of_the_shim_than_the_contract(self):
        self.check_one({'analyzer/base/lock.h': include('preload/support/text.h')},
                       'analyzer/base/lock.h includes preload/support/text.h')

    def test_the_shim_includes_nothing_of_the_analyzer(self):
        self.check_one({'preload/hooks/exec.cpp': include('analyzer/base/text.h')},
                       'preload/hooks/exec.cpp includes analyzer/base/text.h')

    def test_files_of_one_name(self):
        self.check_one({'preload/tracker/text.cpp': ''}, 'several files named preload text',
                       'preload/support, preload/tracker')

    def test_a_file_in_no_folder_of_the_house(self):
        self.check_one({'preload/misc/things.cpp': ''}, 'preload/misc/things.cpp is in no folder')
        self.check_one({'preload/things.cpp': ''}, 'preload/things.cpp is in no folder')

    def test_long_files(self):
        self.assertEqual(self.offences({'tests/e2e/test_all.cpp': '\n' * 400}), [])
        self.check_one({'tests/e2e/test_all.cpp': '\n' * 401},
                       'tests/e2e/test_all.cpp is long: 401 lines')

    def test_exceptions_hold_while_they_are_needed(self):
        long = {'tests/e2e/test_all.cpp': '\n' * 401}
        excepted = {'tests/e2e/test_all.cpp is long': 'a reason'}
        self.assertEqual(self.offences(long, excepted), [])
        self.assertEqual(self.offences({}, excepted),
                         ['stale exception, take it out: tests/e2e/test_all.cpp is long'])


if __name__ == '__main__':
    unittest.main()
