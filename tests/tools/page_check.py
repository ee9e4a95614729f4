"""What a reader does with the page of `kvlab report html`, in a headless Chromium.

usage: page_check.py PAGE [FOLDER for pictures]. A line "ok NAME" or "not ok NAME" a check.
"""

import base64
import sys
import time

from webdriver import Browser

failed = False


def check(name, good, got=None):
    global failed
    failed |= not good
    print(("ok " if good else "not ok ") + name)
    if not good:
        print("# got: %r" % (got,))


ROWS = """return [...document.querySelectorAll('table.scores tbody tr')]
    .filter(r => r.checkVisibility()).map(r => r.cells[0].textContent)"""
COLUMN = """return [...document.querySelectorAll('table.scores tbody tr')]
    .map(r => Number(r.cells[arguments[0]].dataset.value))"""
HEADS = """return [...document.querySelectorAll('table.scores th[data-task]')]
    .filter(h => h.checkVisibility()).map(h => h.dataset.task)"""
CELLS = """return [...document.querySelectorAll('table.scores tbody tr')[0].cells]
    .filter(c => c.checkVisibility()).length"""
COLOUR = "return getComputedStyle(document.body).backgroundColor"


def sorts(b):
    head = "table.scores thead tr:nth-child(2) th:nth-child(4) button"
    before = b.run(COLUMN, 4)
    b.click(head)
    falling = b.run(COLUMN, 4)
    check("a number's head sorts, the largest first", falling == sorted(before, reverse=True), falling)
    check("and says how", b.run("return document.querySelector('table.scores [aria-sort]').ariaSort") == "descending")
    b.click(head)
    check("once more turns it round", b.run(COLUMN, 4) == sorted(before), b.run(COLUMN, 4))
    b.click("table.scores thead th:first-child button")
    check("names sort, too", b.run(ROWS) == sorted(b.run(ROWS)), b.run(ROWS))


def filters(b):
    every, tasks = b.run(ROWS), b.run(HEADS)
    b.click("button[data-kind=method][data-key=kvo]")
    check("a chip leaves the rows of its method", b.run(ROWS) == [r for r in every if "kvo" in r], b.run(ROWS))
    check("and its settings below", b.run("""return [...document.querySelectorAll('.setting')]
        .filter(s => s.checkVisibility()).length""") == 2)
    b.click("button[data-kind=method][data-key=kvo]")
    b.type("#find-method", "1 bit")
    check("words leave the rows that have them", b.run(ROWS) == ["kvo 1 bit"], b.run(ROWS))
    b.run("document.getElementById('find-method').value = ''")
    b.type("#find-task", "classify")
    check("words leave the tasks that have them", b.run(HEADS) == ["mini_classify"], b.run(HEADS))
    check("in heads and cells alike", b.run(CELLS) == 8, b.run(CELLS))
    check("and it is said", "1 of 2 tasks" in b.run("return document.querySelector('#filters output').textContent"))
    b.run("""const f = document.getElementById('find-task'); f.value = '';
        f.dispatchEvent(new Event('input'))""")
    check("without words all is back", (b.run(ROWS), b.run(HEADS)) == (every, tasks))


def links(b):
    b.click("table.scores tbody tr:last-child td:last-child a")
    time.sleep(0.2)
    check("a score opens its items", b.run("""const t = document.querySelector(location.hash);
        return t.parentNode.open && t.querySelectorAll('table.items tbody tr').length === 3"""))
    check("with references beside answers", b.run("""return [...document.querySelector(location.hash)
        .querySelectorAll('thead th')].map(h => h.textContent).join()""").startswith("item,score,full,references,answer"))
    b.click("table.scores tbody tr:last-child td:nth-child(2) a")
    check("a mean leads to its setting and run", b.run("""return document.querySelector(location.hash)
        .matches('.setting') && document.querySelector(location.hash).innerText.includes('WHERE run = ')"""))
    b.run("location.hash = ''")


def looks(b, save):
    light = b.run(COLOUR)
    save("light", b)
    b.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    dark = b.run(COLOUR)
    check("a reader of dark pages gets one", dark != light, dark)
    save("dark", b)
    b.click("#theme")
    check("and can turn it light", b.run(COLOUR) == light, b.run(COLOUR))
    b.click("#theme")
    b.command("Emulation.setEmulatedMedia", media="print")
    check("print is light", b.run(COLOUR) == light, b.run(COLOUR))
    save("print", b)
    b.command("Emulation.setEmulatedMedia", media="", features=[])
    b.command("Emulation.setDeviceMetricsOverride", width=400, height=800, deviceScaleFactor=1, mobile=False)
    check("nothing but tables is wider than a narrow window",
          b.run("return document.documentElement.scrollWidth <= 400"),
          b.run("return document.documentElement.scrollWidth"))
    b.run("document.querySelector('.variant').scrollIntoView()")
    save("narrow", b)


TWICE = """const all = [...document.querySelectorAll('[id]')].map(e => e.id);
    return all.filter((id, at) => all.indexOf(id) !== at)"""
NOWHERE = """return [...document.querySelectorAll('a[href^="#"], use')]
    .map(a => (a.getAttribute('href') || a.getAttribute('xlink:href')).slice(1))
    .filter(id => !document.getElementById(id))"""


def refuses(b):
    """The log above can hold something: what the policy forbids is reported."""
    b.run("""document.body.insertAdjacentHTML('beforeend', '<p style="color:red">x</p>')""")
    check("the policy refuses attributes of style", any("Content Security Policy" in entry["message"] for entry in b.log("browser")))


def with_script(url, save):
    with Browser() as b:
        b.open(url)
        check("only the file itself is asked for", b.requests() == [url])
        check("an answer's script did not run", b.run("return document.title") == "demo - kvlab")
        sorts(b)
        filters(b)
        links(b)
        looks(b, save)
        check("every id is there once", b.run(TWICE) == [], b.run(TWICE))
        check("every link in the page leads somewhere", b.run(NOWHERE) == [], b.run(NOWHERE))
        log = b.log("browser")
        check("the console stays empty", not log, log)
        refuses(b)


def without_script(url):
    with Browser(script=False) as b:
        b.open(url)
        check("without script all rows are there", len(b.run(ROWS)) == 3)
        check("and no control that would do nothing", not b.run(
            "return document.getElementById('filters').checkVisibility()"))
        b.click("table.scores tbody tr:last-child td:last-child a")
        time.sleep(0.2)
        check("a score leads to its items", b.run("""
            return document.querySelector(location.hash + ' table.items td').checkVisibility()"""))
        b.click("#show0ci")
        check("intervals can be shown", b.run("return document.querySelector('.scores .ci').checkVisibility()"))


def main():
    folder = sys.argv[2] if len(sys.argv) > 2 else None

    def save(name, b):
        if folder:
            with open("%s/%s.png" % (folder, name), "wb") as f:
                f.write(base64.b64decode(b.picture()))

    with_script("file://" + sys.argv[1], save)
    without_script("file://" + sys.argv[1])
    sys.exit(failed)


main()
