import unittest

import app


class Test(unittest.TestCase):
    def test_handler(self):
        self.assertTrue(hasattr(app.Handler, "do_GET"))
