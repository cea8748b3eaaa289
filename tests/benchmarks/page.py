"""How soon the page of the browser can be used, by the browser's own clock (Navigation Timing, W3C)."""

from __future__ import annotations

import shutil
import sys
from statistics import median

from tests.benchmarks.peers import announced, started

COLUMNS = ("parsed", "usable", "painted", "KiB")
WARM = "the page, met before"
FRESH = "the page, by a browser that never met it"
# What is loaded has no headers in it; the page can be used when its modules have run.
_TIMES = """() => {
    const [page] = performance.getEntriesByType("navigation");
    const [painted] = performance.getEntriesByName("first-contentful-paint");
    const all = [page, ...performance.getEntriesByType("resource")];
    const bytes = all.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0);
    return [page.domInteractive, page.domContentLoadedEventEnd, painted.startTime, bytes / 1024];
}"""
_PAINTED = "() => performance.getEntriesByName('first-contentful-paint').length > 0"


def measure(rounds: int) -> dict[str, tuple[float, ...]]:
    """Returns the medians of when the page is parsed, usable and painted, in ms, and what is loaded of it.

    Raises:
        RuntimeError: there is no browser here.
    """
    chromium = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise RuntimeError(f"{error.name} is not installed") from None
    if chromium is None:
        raise RuntimeError("chromium is not installed")
    command = [sys.executable, "-m", "chatctl", "serve", "--port=0", "--ephemeral"]
    found: dict[str, list[list[float]]] = {FRESH: [], WARM: []}
    with started(command, announces=True) as server, sync_playwright() as playwright:
        host, port = announced(server)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(rounds):
            context = browser.new_context()
            page = context.new_page()
            for times in found.values():
                page.goto(f"http://{host}:{port}/")
                page.locator("#name:focus").wait_for()
                while not page.evaluate(_PAINTED):
                    page.wait_for_timeout(20)
                times.append(page.evaluate(_TIMES))
            context.close()
        browser.close()
    return {name: tuple(map(median, zip(*times, strict=True))) for name, times in found.items()}
