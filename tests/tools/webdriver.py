"""A headless Chromium by the WebDriver protocol: what tests of pages need of it and no more.

Nothing beyond Python's library. Browser and driver are ended with the object.
"""

import json
import re
import subprocess
import urllib.request


class Browser:
    def __init__(self, script=True):
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.session = None
        self.base = "http://127.0.0.1:%d" % self._port()
        options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                            "--window-size=1280,900", "--force-color-profile=srgb"]}
        if not script:
            options["prefs"] = {"profile.managed_default_content_settings.javascript": 2}
        value = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}}})
        self.session = value["sessionId"]

    def _port(self):
        for line in self.driver.stdout:
            found = re.search(r"started successfully on port (\d+)", line)
            if found:
                return int(found.group(1))
        raise RuntimeError("chromedriver does not start")

    def _ask(self, method, path, body=None):
        if self.session:
            path = "/session/" + self.session + path
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=100) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()[:500]) from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self._ask("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait()

    def open(self, url):
        self._ask("POST", "/url", {"url": url})

    def run(self, script, *args):
        """The value that the script returns, run from outside: the page's policy does not bind it."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": list(args)})

    def click(self, css):
        element = self._ask("POST", "/element", {"using": "css selector", "value": css})
        self._ask("POST", "/element/%s/click" % next(iter(element.values())), {})

    def type(self, css, text):
        element = self._ask("POST", "/element", {"using": "css selector", "value": css})
        self._ask("POST", "/element/%s/value" % next(iter(element.values())), {"text": text})

    def log(self, kind):
        return self._ask("POST", "/se/log", {"type": kind})

    def requests(self):
        """Addresses asked for since the last call."""
        found = []
        for entry in self.log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                found.append(message["params"]["request"]["url"])
        return found

    def command(self, name, **params):
        return self._ask("POST", "/goog/cdp/execute", {"cmd": name, "params": params})

    def picture(self):
        """A PNG of what is seen, in base 64."""
        return self._ask("GET", "/screenshot")
