"""Opens pages of `train report` in headless Chromium, as `just report-browser` does, and checks what a reader sees.

    report_browser.py [--chromium PROGRAM] [--screenshots FOLDER] PAGE...

Each page is opened at 1280 and at 390 pixels, light and dark, and once with images blocked. Every figure must have a
size, and pixels of more than one colour; nothing may be asked for from outside; no error may reach the console; and
the page must not be wider than the screen, with and without its folded parts open. Needs Python and Chromium alone:
the browser is driven over a pipe.
"""

import argparse
import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

# Colours from which on a figure is taken for one that shows something: a frame and its background are two.
LEAST_COLOURS = 4
# Height of a piece of a screenshot.
PIECE = 2600

FIGURES = """
[...document.querySelectorAll('figure, .table')].map(element => {
  const box = element.getBoundingClientRect();
  return {
    name: (element.querySelector('figcaption b, caption b') || {}).textContent || element.className,
    isFigure: element.tagName === 'FIGURE',
    hasPhotographs: element.querySelector('img, image') !== null,
    drawn: [...element.querySelectorAll('svg, img')].map(part => {
      const box = part.getBoundingClientRect();
      return [box.width, box.height];
    }),
    broken: [...element.querySelectorAll('img')].filter(image => image.complete && !image.naturalWidth).length,
    hidden: element.closest('details:not([open])') !== null,
    x: box.x + scrollX, y: box.y + scrollY, width: box.width, height: box.height,
  };
})
"""

COUNT_COLOURS = """
(async () => {
  const bytes = Uint8Array.from(atob('%s'), letter => letter.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], {type: 'image/png'}));
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  const values = new Uint32Array(context.getImageData(0, 0, image.width, image.height).data.buffer);
  const seen = new Set();
  for (const value of values) { seen.add(value); if (seen.size > 64) break; }
  return seen.size;
})()
"""

WIDEST = """
[...document.querySelectorAll('body *')]
  .filter(element => element.getBoundingClientRect().right > innerWidth + 1 && !element.closest('.table, pre, svg'))
  .slice(0, 3).map(element => element.tagName + '.' + element.getAttribute('class'))
"""


class Browser:
    """A Chromium without windows, over the pipe of its DevTools protocol."""

    def __init__(self, program, *flags):
        self.profile = tempfile.mkdtemp()
        commands, self.commands = os.pipe()
        self.answers, answers = os.pipe()
        arguments = [
            program, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
            "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
            "--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe", f"--user-data-dir={self.profile}",
            *flags, "about:blank",
        ]
        # The protocol's pipe is descriptors 3 and 4 of the browser.
        redirected = ["sh", "-c", f'exec "$@" 3<&{commands} 4>&{answers}', "sh", *arguments]
        self.process = subprocess.Popen(
            redirected, pass_fds=(commands, answers), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(commands)
        os.close(answers)
        self.number, self.replies, self.events = 0, {}, []
        self.news = threading.Condition()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        rest = b""
        while piece := os.read(self.answers, 1 << 20):
            *messages, rest = (rest + piece).split(b"\0")
            for message in map(json.loads, messages):
                with self.news:
                    if "id" in message:
                        self.replies[message["id"]] = message
                    else:
                        self.events.append(message)
                    self.news.notify_all()

    def ask(self, method, session=None, **parameters):
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.commands, data):]
        with self.news:
            if not self.news.wait_for(lambda: number in self.replies, timeout=120):
                raise SystemExit(f"the browser does not answer {method}")
            reply = self.replies.pop(number)
        if "error" in reply:
            raise SystemExit(f"{method}: {reply['error']}")
        return reply["result"]

    def wait(self, session, method):
        with self.news:
            def arrived():
                return any(e["method"] == method and e.get("sessionId") == session for e in self.events)
            if not self.news.wait_for(arrived, timeout=120):
                raise SystemExit(f"no {method}")

    def tab(self):
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        return self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def value(self, session, script):
        result = self.ask("Runtime.evaluate", session, expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise SystemExit(f"a script of the checks failed: {result['exceptionDetails']}")
        return result["result"].get("value")

    def close(self):
        try:
            self.ask("Browser.close")
        finally:
            self.process.wait(timeout=30)
            shutil.rmtree(self.profile, ignore_errors=True)


def look(browser, page, width, scheme, images, folder):
    """Opens a page once and gives what is wrong with it."""
    faults = []
    # The last tab is in front, and only that one is painted.
    counter, session = browser.tab(), browser.tab()
    for domain in ("Page", "Runtime", "Network", "Log"):
        browser.ask(f"{domain}.enable", session)
    browser.ask("Emulation.setDeviceMetricsOverride", session, width=width, height=900, deviceScaleFactor=1,
                mobile=width < 600)
    browser.ask("Emulation.setEmulatedMedia", session,
                features=[{"name": "prefers-color-scheme", "value": scheme}])
    address = page.resolve().as_uri()
    browser.ask("Page.navigate", session, url=address)
    browser.wait(session, "Page.loadEventFired")
    figures = 0
    for are_open in (False, True):
        if are_open:
            browser.value(session, "document.querySelectorAll('details').forEach(part => part.open = true)")
        inner, across = browser.value(session, "[innerWidth, document.documentElement.scrollWidth]")
        if across > inner:
            widest = browser.value(session, WIDEST)
            faults.append(f"is {across} pixels wide on a screen of {inner}: {widest}")
        size = browser.ask("Page.getLayoutMetrics", session)["cssContentSize"]
        found = browser.value(session, FIGURES)
        if not are_open:
            shown = [figure for figure in found if figure["isFigure"] and not figure["hidden"]]
            figures = len(shown)
            if not shown:
                faults.append("has no figure")
            for figure in shown:
                faults += check(browser, session, counter, figure, images)
            shoot(browser, session, size, folder)
    for event in browser.events:
        if event.get("sessionId") != session:
            continue
        parameters = event["params"]
        match event["method"]:
            case "Network.requestWillBeSent":
                url = parameters["request"]["url"]
                if url != address and not url.startswith("data:"):
                    faults.append(f"asks for {url}")
            case "Runtime.exceptionThrown":
                faults.append(f"throws: {parameters['exceptionDetails'].get('text')}")
            case "Runtime.consoleAPICalled" if parameters["type"] in ("error", "warning"):
                faults.append(f"console: {parameters['args']}")
            case "Log.entryAdded" if parameters["entry"]["level"] in ("error", "warning"):
                faults.append(f"log: {parameters['entry']['text']}")
    return figures, faults


def check(browser, session, counter, figure, images):
    """What is wrong with one figure."""
    name = figure["name"]
    if min(figure["width"], figure["height"]) < 20:
        return [f"{name}has {figure['width']} by {figure['height']} pixels"]
    if images and figure["broken"]:
        return [f"{name}has pictures that cannot be read: {figure['broken']}"]
    if images and any(min(sides) < 8 for sides in figure["drawn"]):
        return [f"{name}has drawings without a size: {figure['drawn']}"]
    if not images and figure["hasPhotographs"]:
        return []
    clip = {key: figure[key] for key in ("x", "y", "width", "height")} | {"scale": 1}
    picture = browser.ask("Page.captureScreenshot", session, format="png", clip=clip, captureBeyondViewport=True)
    colours = browser.value(counter, COUNT_COLOURS % picture["data"])
    return [] if colours >= LEAST_COLOURS else [f"{name}has {colours} colours"]


def shoot(browser, session, size, folder):
    """Keeps the page as pictures, in pieces of a height that can be looked at."""
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for number, top in enumerate(range(0, int(size["height"]), PIECE)):
        clip = {"x": 0, "y": top, "width": size["width"], "height": min(PIECE, size["height"] - top), "scale": 1}
        picture = browser.ask("Page.captureScreenshot", session, format="png", clip=clip, captureBeyondViewport=True)
        (folder / f"{number:02}.png").write_bytes(base64.b64decode(picture["data"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chromium", default="chromium")
    parser.add_argument("--screenshots", type=pathlib.Path)
    parser.add_argument("pages", nargs="+", type=pathlib.Path)
    given = parser.parse_args()
    if shutil.which(given.chromium) is None:
        raise SystemExit(f"there is no {given.chromium}; install Debian's package chromium, or name one by --chromium")
    failed = 0
    for images in (True, False):
        browser = Browser(given.chromium, *([] if images else ["--blink-settings=imagesEnabled=false"]))
        looks = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")] if images else [(390, "light")]
        for page in given.pages:
            for width, scheme in looks:
                what = f"{width}-{scheme}" + ("" if images else "-blocked")
                folder = given.screenshots and given.screenshots / page.stem / what
                figures, faults = look(browser, page, width, scheme, images, folder)
                print(f"{page.name} {what}: {figures} figures, {len(faults)} faults", flush=True)
                for fault in faults:
                    print(f"  {fault}")
                failed += len(faults)
        browser.close()
    sys.exit(failed > 0)


main()
