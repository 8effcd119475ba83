"""The report page in a real browser: no error, no request, nothing cut off, sliders.

Skipped where no Chromium is installed; the rule that the page's script follows is held
to Python in `test_report_rule.py`, which needs none.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from base64 import b64decode
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pytest

from groundtune.recipes.report import report, write_html

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next((found for name in _NAMES if (found := shutil.which(name))), None)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]

SIZES = {"phone": (390, 844), "laptop": (1366, 768)}


class Browser:
    """One page of a headless Chromium, spoken to over its debugging pipe."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM is not None, "skipped without one"
        to_it, ours_out = os.pipe()
        ours_in, from_it = os.pipe()
        # The browser reads on its handle 3 and writes on 4.
        command = (
            f'exec "$0" --headless=new --no-sandbox --disable-gpu --no-first-run '
            f'--remote-debugging-pipe --user-data-dir="$1" about:blank '
            f"3<&{to_it} 4>&{from_it} 2>/dev/null"
        )
        self._process = subprocess.Popen(
            ["bash", "-c", command, CHROMIUM, str(profile)],
            pass_fds=(to_it, from_it),
            stdout=subprocess.DEVNULL,
        )
        os.close(to_it)
        os.close(from_it)
        self._out = os.fdopen(ours_out, "wb", buffering=0)
        self._in = os.fdopen(ours_in, "rb", buffering=0)
        self._rest = b""
        self._count = 0
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    _session = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.close()
        self._process.terminate()
        self._process.wait(20)
        self._in.close()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method and return its result."""
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method}
        message["params"] = params
        if self._session:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self.events.append(answer)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            read = self._in.read(1 << 16)
            assert read, "the browser has ended"
            self._rest += read
        one, self._rest = self._rest.split(b"\0", 1)
        return json.loads(one)

    def open(self, path: Path, *, width: int, height: int, dark: bool = False) -> None:
        """Show a file in a window of this size."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self._next())

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def of_kind(self, *methods: str) -> list[dict[str, Any]]:
        """Events so far."""
        return [event for event in self.events if event.get("method") in methods]

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Save what is seen."""
        taken = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(b64decode(taken["data"]))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = make_run(tmp_path_factory.mktemp("runs") / "run")
    return write_html(run, report(run))


def make_run(folder: Path) -> Path:
    """A run in which both is best by far, rag second, and answers take their time."""
    folder.mkdir()
    rng = np.random.default_rng(2)
    shares = {"plain": 0.05, "rag": 0.72, "tuned": 0.3, "both": 0.85}
    usual = {"plain": 300, "rag": 800, "tuned": 290, "both": 900}
    rows: list[dict[str, Any]] = []
    timings: list[dict[str, Any]] = []
    for number in range(200):
        luck = float(rng.random())
        for system, share in shares.items():
            right = luck < share
            reads = system in ("rag", "both")
            key = {"case": f"c{number:03}", "system": system, "seed": 0}
            hit = {"document": f"d{number % 25}.md", "start": 0, "end": 30}
            rows.append(
                {
                    **key,
                    "group": f"d{number % 25}.md",
                    "question": f"How many ells is tower {number} high? <b>Say so.</b>",
                    "answers": ["154 ells"],
                    "prediction": "154 ells" if right else "a-" + "very" * 30,
                    "scores": {"token_f1": float(right)},
                    "hits": [hit] if reads else [],
                    "hit": number % 9 != 0 if reads else None,
                    "prompt_tokens": 400 if reads else 40,
                    "output_tokens": 9,
                }
            )
            total = usual[system] * float(rng.lognormal(0, 0.15))
            timings.append({**key, "total_ms": total})
    for name, values in (("rows", rows), ("timings", timings)):
        text = "".join(json.dumps(value) + "\n" for value in values)
        (folder / f"{name}.jsonl").write_text(text)
    resources = {"tuned": {"train_seconds": 300}, "both": {"train_seconds": 500}}
    (folder / "resources.json").write_text(json.dumps(resources))
    about = {"task": "qa", "protocol": {"draws": 500}}
    (folder / "run.json").write_text(json.dumps(about))
    return folder


CUT_OFF = """
[...document.querySelectorAll("body *")].filter((one) => {
  const shape = one.getBoundingClientRect();
  const seen = shape.width > 1 && getComputedStyle(one).visibility === "visible";
  return seen && (shape.right > document.documentElement.clientWidth + 1 ||
    shape.left < -1);
}).map((one) => one.tagName + " " + (one.textContent || "").trim().slice(0, 40))
"""


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("is_dark", [False, True])
def test_no_error_no_request_and_nothing_is_cut_off(
    browser: Browser, page: Path, size: str, is_dark: bool
) -> None:
    width, height = SIZES[size]
    browser.open(page, width=width, height=height, dark=is_dark)
    problems = browser.of_kind(
        "Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"
    )
    assert problems == []
    sent = browser.of_kind("Network.requestWillBeSent")
    assert [event["params"]["request"]["url"] for event in sent] == [
        page.resolve().as_uri()
    ]
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run(CUT_OFF) == []
    paper = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") is not is_dark


def test_on_paper_everything_fits(browser: Browser, page: Path) -> None:
    browser.open(page, width=718, height=1000)  # A4 less its margins, at 96 dpi
    browser.call("Emulation.setEmulatedMedia", media="print")
    assert browser.run(CUT_OFF) == []
    printed = browser.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)
    assert b64decode(printed["data"]).startswith(b"%PDF-")


def move(browser: Browser, name: str, to: str) -> None:
    """Move a slider to its first or last stop."""
    browser.run(
        f"""(() => {{
          const input = document.getElementById("weight-{name}");
          input.value = {"input.max" if to == "end" else '"0"'};
          input.dispatchEvent(new Event("input"));
        }})()"""
    )


def said(browser: Browser, element: str) -> str:
    return browser.run(f'document.getElementById("{element}").textContent')


def test_sliders_change_the_verdict_and_the_costs(browser: Browser, page: Path) -> None:
    browser.open(page, width=1366, height=768)
    assert said(browser, "what-if-arm") == "take both"
    pairs = 'document.querySelector("[data-pair=\\"tuned,rag\\"] td").textContent'
    cost = 'document.querySelector("[data-cost=\\"both\\"] td").textContent'
    before = browser.run(pairs), browser.run(cost)
    assert before[0].startswith("tuned, from")
    move(browser, "margin", "end")
    # All within 0.3 of the best count as equal: rag is easier to keep fresh than both.
    assert said(browser, "what-if-arm") == "take rag"
    move(browser, "latency_limit_ms", "start")
    assert said(browser, "what-if-arm") == "no clear winner"
    assert "both is left out: slower than the limit" in said(browser, "what-if-dropped")
    move(browser, "updates_per_month", "end")
    assert browser.run(pairs) != before[0]
    move(browser, "machine_hour", "end")
    assert browser.run(cost).endswith(" USD")
    assert said(browser, "cost-unit") == "in USD"
    browser.run('document.getElementById("reset").click()')
    assert said(browser, "what-if-arm") == "take both"
    assert (browser.run(pairs), browser.run(cost)) == before


def test_cases_are_chosen_by_who_is_right_and_who_is_wrong(
    browser: Browser, page: Path
) -> None:
    browser.open(page, width=390, height=844)
    shown = 'document.querySelectorAll(".example:not([hidden])").length'
    assert browser.run(shown) == 8
    browser.run('document.getElementById("more-cases").click()')
    everything = browser.run(shown)
    assert 8 < everything <= 40
    choose = """(() => {
      document.getElementById("choose-right").value = "rag";
      document.getElementById("choose-wrong").value = "tuned";
      document.getElementById("choose-right").dispatchEvent(new Event("change"));
    })()"""
    browser.run(choose)
    rights = browser.run(
        '[...document.querySelectorAll(".example:not([hidden])")]'
        ".map((one) => one.dataset.right)"
    )
    assert rights
    assert all("rag" in right and "tuned" not in right for right in rights)


def test_without_script_everything_is_there(browser: Browser, page: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(page, width=1366, height=768)
        text = browser.call(
            "Runtime.evaluate", expression="document.body.innerText", returnByValue=True
        )["result"]["value"]
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
    assert "Take both" in text
    assert "tuned, from" in text
    assert text.count("cases like this") >= 16
    assert "price of a machine hour" not in text, "what does nothing is not shown"
