"""What a test of an engine does."""

import unittest


class Same(unittest.TestCase):
    maxDiff = None

    def same(self, engine, table):
        """The engine's figures of the table are those of `fedilake report`."""
        self.assertGreater(table.figures["statistics"]["posts"], 0)
        found = engine(table)
        for name, figures in table.figures.items():
            self.assertEqual(_plain(found[name]), _plain(figures), name)


# JSON knows no tuples, and not every figure comes in order.
def _plain(figures):
    return figures if isinstance(figures, dict) else sorted(map(list, figures))
