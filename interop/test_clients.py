"""Clients of the fediverse that are not ours, on the simulator: Mastodon.py logs in, pages both ways, and streams."""

import re
import subprocess
import threading
import unittest
import urllib.parse
import urllib.request

import mastodon

import program

PATIENCE = 60


class Heard(mastodon.StreamListener):
    """Keeps events until enough of each kind came."""

    def __init__(self):
        self.updates, self.enough = [], threading.Event()

    def on_update(self, status):
        self.updates.append(status)
        if len(self.updates) >= 20:
            self.enough.set()


class MastodonPy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        command = [program.FEDILAKE, "simulate", "--serve", "127.0.0.1:0", "--servers", "2", "--rate", "100", "--closed"]
        cls.server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        for line in cls.server.stderr:
            found = re.search(r"--server (http://\S+)", line)
            if found:
                cls.base = found[1]
                break
        # Nothing else is said; the pipe is read so that it cannot fill.
        threading.Thread(target=cls.server.stderr.read, daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.terminate()
        cls.server.wait(PATIENCE)
        cls.server.stderr.close()

    def client(self):
        """Logged in by the page that asks, as a browser would do it."""
        redirect = "urn:ietf:wg:oauth:2.0:oob"
        app_id, secret = mastodon.Mastodon.create_app("interop", scopes=["read"], redirect_uris=redirect, api_base_url=self.base)
        client = mastodon.Mastodon(client_id=app_id, client_secret=secret, api_base_url=self.base, ratelimit_method="throw")
        url = client.auth_request_url(redirect_uris=redirect, scopes=["read"], allow_http=True)
        with urllib.request.urlopen(url) as page:
            form = page.read().decode().split("</form>")[0]
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
        answer = urllib.request.Request(f"{self.base}/oauth/authorize", urllib.parse.urlencode(fields).encode())
        with urllib.request.urlopen(answer) as page:
            code = re.search(r'class="oauth-code"[^>]* value="([^"]+)"', page.read().decode())[1]
        client.log_in(code=code, redirect_uri=redirect, scopes=["read"], allow_http=True)
        return client

    def test_it_logs_in_and_out(self):
        client = self.client()
        self.assertEqual(client.me().acct, client.account_verify_credentials().acct)
        self.assertEqual(client.app_verify_credentials().name, "interop")
        client.revoke_access_token(allow_http=True)
        with self.assertRaises(mastodon.MastodonError):
            client.me()

    def test_it_reads_what_a_server_says_of_itself(self):
        client = self.client()
        self.assertEqual(urllib.parse.urlparse(self.base).netloc, client.instance().domain)
        self.assertTrue(client.instance_rules())
        self.assertEqual("mastodon", client.instance_nodeinfo().software.name)

    def test_it_pages_down_and_up_again(self):
        client = self.client()
        pages = [client.timeline_public(limit=10)]
        while len(pages[0]) < 10:
            pages = [client.timeline_public(limit=10)]
        for _ in range(3):
            older = client.fetch_next(pages[-1])
            if not older:
                break
            pages.append(older)
        walked = [status.id for page in pages for status in page]
        self.assertEqual(sorted(walked, key=int, reverse=True), walked)
        self.assertEqual(len(set(walked)), len(walked))
        upwards = client.timeline_public(limit=10, min_id=walked[-1])
        self.assertIn(walked[-2], [status.id for status in upwards])
        newer = client.fetch_previous(upwards)
        self.assertTrue(all(int(status.id) > int(upwards[0].id) for status in newer))
        self.assertTrue(newer)

    def test_it_reads_hashtags_and_lists(self):
        client = self.client()
        lists = client.lists()
        self.assertTrue(lists)
        client.timeline_list(lists[0].id, limit=5)
        for status in client.timeline_hashtag("photography", limit=5):
            self.assertIn("photography", [tag.name for tag in status.tags])

    def test_it_streams(self):
        client, heard = self.client(), Heard()
        stream = client.stream_public(heard, run_async=True, timeout=PATIENCE)
        self.addCleanup(stream.close)
        self.assertTrue(heard.enough.wait(PATIENCE))
        self.assertTrue(all(status.account.acct and status.uri for status in heard.updates))


if __name__ == "__main__":
    unittest.main()
